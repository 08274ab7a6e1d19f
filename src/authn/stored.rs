//! Stored password hashes: the forms that are verified, and what none of them may cost.
//!
//! | form | from | caps (threat T33) |
//! |---|---|---|
//! | `$argon2id$…`, `$argon2i$…`, `$argon2d$…`, version 19 | here; imports | 256 MiB, 10 passes, 8 lanes |
//! | `$scrypt$ln=…,r=…,p=…$…` | imports | 256 MiB, 8 lanes |
//! | `$pbkdf2-sha256$i=…$…`, `$pbkdf2-sha512$i=…$…` | imports | 2 000 000 rounds |
//! | `$2a$…`, `$2b$…`, `$2y$…` (bcrypt) | imports | cost 14 |
//!
//! Only argon2id is written; whoever signs in with another form is given it (identity.md C2).

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::pbkdf2;
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use password_hash::phc::PasswordHash;
use zeroize::Zeroizing;

use crate::{
    config::{MOST_ARGON2_MEMORY_KIB, MOST_ARGON2_PASSES},
    users::Phc,
};

/// Most lanes.
const MAX_LANES: u32 = 8;
/// Most rounds of PBKDF2.
const MAX_ROUNDS: u32 = 2_000_000;
/// Costs of bcrypt: from what it knows to what is computed.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;
/// Bytes of a password that bcrypt takes in, the closing NUL included.
const BCRYPT_PASSWORD: usize = 72;

/// bcrypt's own base64. Its last characters may carry bits that mean nothing.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// A stored hash that will be computed.
pub(super) struct Stored {
    pub(super) recipe: Recipe,
    pub(super) hash: Vec<u8>,
}

/// How a hash is computed.
pub(super) enum Recipe {
    Argon2 { algorithm: Algorithm, params: Params, salt: Vec<u8> },
    Scrypt { params: scrypt::Params, salt: Vec<u8> },
    Pbkdf2 { algorithm: pbkdf2::Algorithm, rounds: NonZeroU32, salt: Vec<u8> },
    Bcrypt { cost: u32, salt: [u8; 16] },
}

impl Stored {
    /// Reads a stored hash; none when it has a form that is not verified, or costs too much.
    pub(super) fn read(phc: &Phc) -> Option<Self> {
        let text = phc.expose();
        if ["$2a$", "$2b$", "$2y$"].iter().any(|form| text.starts_with(form)) {
            return Self::read_bcrypt(text);
        }
        let parsed = PasswordHash::new(text).ok()?;
        let (salt, hash) = (parsed.salt?.to_vec(), parsed.hash?.as_bytes().to_vec());
        let number = |name| parsed.params.get_decimal(name);
        let recipe = match parsed.algorithm.as_str() {
            "scrypt" => {
                let (log_n, r, p) = (number("ln")?, number("r")?, number("p")?);
                let kib = 1_u32.checked_shl(log_n)?.checked_mul(r)? / 8; // 128 bytes each
                if kib > MOST_ARGON2_MEMORY_KIB || p > MAX_LANES {
                    return None;
                }
                Recipe::Scrypt { params: scrypt::Params::new(u8::try_from(log_n).ok()?, r, p).ok()?, salt }
            }
            name @ ("pbkdf2-sha256" | "pbkdf2-sha512") => {
                let algorithm = if name.ends_with("256") {
                    pbkdf2::PBKDF2_HMAC_SHA256
                } else {
                    pbkdf2::PBKDF2_HMAC_SHA512
                };
                let rounds = number("i").filter(|rounds| *rounds <= MAX_ROUNDS)?;
                Recipe::Pbkdf2 { algorithm, rounds: NonZeroU32::new(rounds)?, salt }
            }
            name => {
                let algorithm: Algorithm = name.parse().ok()?;
                let current = parsed.version.is_none_or(|version| version == u32::from(Version::V0x13));
                let params = Params::try_from(&parsed).ok()?;
                let keyed = !params.keyid().is_empty() || !params.data().is_empty();
                let bomb = params.m_cost() > MOST_ARGON2_MEMORY_KIB
                    || params.t_cost() > MOST_ARGON2_PASSES
                    || params.p_cost() > MAX_LANES;
                if !current || keyed || bomb {
                    return None;
                }
                Recipe::Argon2 { algorithm, params, salt }
            }
        };
        Some(Self { recipe, hash })
    }

    fn read_bcrypt(text: &str) -> Option<Self> {
        let (cost, rest) = text.get(4..)?.split_once('$')?;
        let cost = cost.parse().ok().filter(|cost| BCRYPT_COSTS.contains(cost))?;
        let (salt, hash) = rest.split_at_checked(22)?;
        let salt = BCRYPT_BASE64.decode(salt).ok()?.try_into().ok()?;
        let hash = BCRYPT_BASE64.decode(hash).ok().filter(|hash| hash.len() == 23)?;
        Some(Self { recipe: Recipe::Bcrypt { cost, salt }, hash })
    }

    /// Whether it was made otherwise than new ones are: as argon2id with `params`, of `length` bytes.
    pub(super) fn is_outdated(&self, today: &Params, length: usize) -> bool {
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        !matches!(&self.recipe, Recipe::Argon2 { algorithm: Algorithm::Argon2id, params, .. }
            if cost(params) == cost(today) && self.hash.len() == length)
    }
}

impl Recipe {
    /// The hash of `password`, `length` bytes of it. Argon2 works in `memory`, which grows as needed.
    /// None where there is no memory.
    pub(super) fn compute(&self, password: &[u8], length: usize, memory: &mut Vec<Block>) -> Option<Vec<u8>> {
        let mut hash = vec![0; length];
        match self {
            Self::Argon2 { algorithm, params, salt } => {
                let blocks = params.block_count();
                memory.try_reserve_exact(blocks.saturating_sub(memory.len())).ok()?;
                if memory.len() < blocks {
                    memory.resize(blocks, Block::new());
                }
                Argon2::new(*algorithm, Version::V0x13, params.clone())
                    .hash_password_into_with_memory(password, salt, &mut hash, memory.get_mut(..blocks)?)
                    .ok()?;
            }
            Self::Scrypt { params, salt } => scrypt::scrypt(password, salt, params, &mut hash).ok()?,
            Self::Pbkdf2 { algorithm, rounds, salt } => {
                pbkdf2::derive(*algorithm, *rounds, salt, password, &mut hash);
            }
            Self::Bcrypt { cost, salt } => {
                // As bcrypt has always read passwords: closed by a NUL, and cut.
                let mut key = Zeroizing::new(password.to_vec());
                key.push(0);
                key.truncate(BCRYPT_PASSWORD);
                hash = bcrypt::bcrypt(*cost, *salt, &key).to_vec();
                hash.truncate(length);
            }
        }
        Some(hash)
    }
}

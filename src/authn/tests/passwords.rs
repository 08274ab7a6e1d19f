use argon2::{Argon2, PasswordHasher, PasswordVerifier};

use super::*;
use crate::base::SeededEntropy;

fn config() -> PasswordsConfig {
    PasswordsConfig { argon2_memory_kib: 8, argon2_passes: 1, workers: Some(1), ..PasswordsConfig::default() }
}

fn pool() -> Passwords {
    Passwords::start(&config(), Arc::new(SeededEntropy::new(1))).unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

#[tokio::test]
async fn another_implementation_agrees() {
    let pool = pool();
    let phc = pool.hash(&secret("correct horse")).await.unwrap();
    assert!(phc.expose().starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{}", phc.expose());
    let parsed = PasswordHash::new(phc.expose()).unwrap();
    Argon2::default().verify_password(b"correct horse", &parsed).unwrap();
    let foreign = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(16, 2, 2, None).unwrap());
    let foreign = Phc::new(foreign.hash_password(b"correct horse").unwrap().to_string());
    let verdict = pool.verify(&secret("correct horse"), Some(&foreign)).await.unwrap();
    assert_eq!(verdict, Verdict { matches: true, is_outdated: true, is_unusable: false });
}

#[tokio::test]
async fn every_comparison_is_one_hash() {
    let pool = pool();
    let phc = pool.hash(&secret("pass e\u{301}\u{a0}word")).await.unwrap();
    let bomb = Phc::new(phc.expose().replace("m=8", "m=4194304").replace("t=1", "t=1000"));
    let bcrypt = Phc::new("$2b$12$abcdefghijklmnopqrstuuVQuCx5qJ0i2pBk7lI5u1F6kKgKp5K".to_owned());
    let long = "x".repeat(100_000);
    for (password, stored, matches) in [
        ("pass \u{e9} word", Some(&phc), true),
        ("pass e\u{301} word", Some(&phc), true),
        ("Pass \u{e9} word", Some(&phc), false),
        ("", Some(&phc), false),
        (&*long, Some(&phc), false),
        ("pass \u{e9} word", None, false),
        ("pass \u{e9} word", Some(&bomb), false),
        ("pass \u{e9} word", Some(&bcrypt), false),
    ] {
        let before = pool.hashes();
        let verdict = pool.verify(&secret(password), stored).await.unwrap();
        assert_eq!((verdict.matches, pool.hashes() - before), (matches, 1), "{password:.20}");
    }
}

#[test]
fn a_full_queue_is_said_at_once() {
    let (jobs, _queue) = sync_channel(1);
    let params = Params::new(8, 1, 1, Some(HASH_BYTES)).unwrap();
    let (places, entropy) = (Semaphore::new(2), Arc::new(SeededEntropy::new(1)));
    let pool = Passwords { jobs, places, params, hashes: Arc::default(), entropy };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let password = secret("x");
        let first = pool.verify(&password, None);
        let second = pool.verify(&password, None);
        tokio::pin!(first);
        // The first waits for a worker that is not there; the second finds the queue full.
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        assert!(matches!(second.await, Err(PasswordError::Overloaded)));
    });
    let (first, _second) = (pool.enter().unwrap(), pool.enter().unwrap());
    assert!(matches!(pool.enter(), Err(PasswordError::Overloaded)));
    drop(first);
    assert!(pool.enter().is_ok());
}

//! The texts.

use crate::{base::PlainToken, config::MailConfig};

/// A mail, written.
#[derive(Debug, Clone)]
pub struct Letter {
    /// Address.
    pub to: String,
    /// Subject.
    pub subject: &'static str,
    /// Plain text.
    pub text: String,
}

/// The pages that links lead to. Made of the configuration alone, never of a request (threat T41).
#[derive(Debug, Clone)]
pub struct Pages {
    verify: String,
    reset: String,
}

impl Pages {
    /// The pages below `public_url`.
    #[must_use]
    pub fn new(config: &MailConfig, public_url: &str) -> Self {
        let page = |path: &str| format!("{}{path}", public_url.trim_end_matches('/'));
        Self { verify: page(&config.verify_page), reset: page(&config.reset_page) }
    }

    /// The link by which an address is proven. The token stands in the fragment: browsers send that to
    /// nobody, and a program that opens every link uses nothing up (threat T42).
    #[must_use]
    pub fn verify(&self, token: &PlainToken) -> PlainToken {
        PlainToken::new(format!("{}#token={}", self.verify, token.expose()))
    }

    /// The link by which a password is chosen.
    #[must_use]
    pub fn reset(&self, token: &PlainToken) -> PlainToken {
        PlainToken::new(format!("{}#token={}", self.reset, token.expose()))
    }
}

impl Letter {
    /// Asks to prove the address of the account.
    #[must_use]
    pub fn verify_email(to: String, link: &PlainToken) -> Self {
        let text = format!(
            "Hello,\n\nplease confirm that this address is yours:\n\n{}\n\nThe link works once, for 24 hours. If you \
             did not ask for it, do nothing.\n",
            link.expose()
        );
        Self { to, subject: "Confirm your address", text }
    }

    /// Says that there is an account already.
    #[must_use]
    pub fn already_registered(to: String) -> Self {
        let text = "Hello,\n\nsomebody, perhaps you, wanted to sign up with this address. You already have an account: \
                    sign in with it, or ask for a new password there. If it was not you, do nothing.\n";
        Self { to, subject: "You already have an account", text: text.to_owned() }
    }

    /// Leads to where a new password is chosen.
    #[must_use]
    pub fn reset_password(to: String, link: &PlainToken) -> Self {
        let text = format!(
            "Hello,\n\nhere you can choose a new password:\n\n{}\n\nThe link works once, for 30 minutes. If you did not \
             ask for it, do nothing: your password stays as it is.\n",
            link.expose()
        );
        Self { to, subject: "Choose a new password", text }
    }

    /// Asks to prove the address to be.
    #[must_use]
    pub fn change_email(to: String, link: &PlainToken) -> Self {
        let text = format!(
            "Hello,\n\nplease confirm that this is to be the address of your account:\n\n{}\n\nThe link works once, for \
             24 hours. If you did not ask for it, do nothing.\n",
            link.expose()
        );
        Self { to, subject: "Confirm your new address", text }
    }

    /// Tells the former address.
    #[must_use]
    pub fn email_changed(to: String) -> Self {
        let text = "Hello,\n\nthe address of your account was changed; this one is not used any more. If it was not you, \
                    tell your administrator at once.\n";
        Self { to, subject: "Your address was changed", text: text.to_owned() }
    }

    /// Tells that the password is another.
    #[must_use]
    pub fn password_changed(to: String) -> Self {
        let text = "Hello,\n\nthe password of your account was changed, and you were signed out everywhere else. If it was \
                    not you, ask for a new password at once and tell your administrator.\n";
        Self { to, subject: "Your password was changed", text: text.to_owned() }
    }

    /// Tells that the second factor is another.
    #[must_use]
    pub fn second_factor_changed(to: String) -> Self {
        let text = "Hello,\n\nthe second factor of your account, or its recovery codes, were changed. If it was not you, ask \
                    for a new password at once and tell your administrator.\n";
        Self { to, subject: "Your second factor was changed", text: text.to_owned() }
    }

    /// Tells of a sign-in from a device that was not seen before.
    #[must_use]
    pub fn new_device(to: String) -> Self {
        let text = "Hello,\n\nsomebody signed in to your account from a device that it was not used on before. If it was not \
                    you, choose another password at once and end that session.\n";
        Self { to, subject: "A new device signed in", text: text.to_owned() }
    }
}

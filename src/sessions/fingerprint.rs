//! What a client looks like, so that a refresh from somewhere else can be told (R49, R56, threat T55).
//!
//! Two tags, because they mean different things: the *agent* (the browser's or program's family, without its version)
//! changes when somebody imports their cookies into another browser; the *platform* does not change under a session.
//! The address is no part of it: it changes with every network. Only tags are kept, and nobody can read them back.

use super::ClientInfo;
use crate::base::MacKey;

/// Bytes of a tag that are kept.
const TAG_BYTES: usize = 16;

/// Browsers by a word of their `User-Agent`, the more telling words first: each also says that it is what follows.
const AGENTS: [(&str, &str); 13] = [
    ("Edg", "edge"),
    ("OPR/", "opera"),
    ("SamsungBrowser/", "samsung"),
    ("YaBrowser/", "yandex"),
    ("Vivaldi/", "vivaldi"),
    ("FxiOS/", "firefox"),
    ("Firefox/", "firefox"),
    ("CriOS/", "chrome"),
    ("Chromium/", "chromium"),
    ("Chrome/", "chrome"),
    ("okhttp/", "okhttp"),
    ("CFNetwork/", "cfnetwork"),
    ("Safari/", "safari"),
];

/// Platforms by a word of the `User-Agent`, or by what `Sec-CH-UA-Platform` calls them.
const PLATFORMS: [(&str, &str); 11] = [
    ("Android", "android"),
    ("iPhone", "ios"),
    ("iPad", "ios"),
    ("iOS", "ios"),
    ("CrOS", "chromeos"),
    ("Chrome OS", "chromeos"),
    ("Windows", "windows"),
    ("Macintosh", "macos"),
    ("macOS", "macos"),
    ("Darwin", "macos"),
    ("Linux", "linux"),
];

/// The two tags of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fingerprint {
    pub(super) agent: Vec<u8>,
    pub(super) platform: Vec<u8>,
}

/// What is not as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Difference {
    Agent,
    Platform,
}

impl Fingerprint {
    /// What `client` looks like.
    pub(super) fn of(client: &ClientInfo, key: &MacKey) -> Self {
        let tag = |part: &[u8], text: &str| {
            let tag = key.tag(&[part, text.as_bytes()]);
            tag.get(..TAG_BYTES).unwrap_or(&tag).to_vec()
        };
        Self { agent: tag(b"agent", &agent(client)), platform: tag(b"platform", &platform(client)) }
    }
}

/// What of a client differs from the tags that were kept, under this key or the one before it; the platform outweighs
/// the agent. What was never kept does not differ.
pub(super) fn difference(
    client: &ClientInfo,
    key: &MacKey,
    kept_agent: Option<&[u8]>,
    kept_platform: Option<&[u8]>,
) -> Option<Difference> {
    let differs = |part: &[u8], text: &str, kept: Option<&[u8]>| {
        kept.is_some_and(|kept| !key.verify(&[part, text.as_bytes()], kept))
    };
    if differs(b"platform", &platform(client), kept_platform) {
        Some(Difference::Platform)
    } else if differs(b"agent", &agent(client), kept_agent) {
        Some(Difference::Agent)
    } else {
        None
    }
}

/// The family of a browser, or the name of a program without its version.
fn agent(client: &ClientInfo) -> String {
    let text = client.user_agent.as_deref().unwrap_or_default();
    let brave = client.brands.as_deref().filter(|brands| brands.contains("Brave")).map(|_| "brave");
    let known = brave.or_else(|| find(&AGENTS, text));
    known.map_or_else(|| text.split(['/', ' ']).next().unwrap_or_default().to_owned(), ToOwned::to_owned)
}

fn platform(client: &ClientInfo) -> String {
    let hint = client.platform_hint.as_deref().and_then(|hint| find(&PLATFORMS, hint));
    let told = || find(&PLATFORMS, client.user_agent.as_deref().unwrap_or_default());
    hint.or_else(told).unwrap_or_default().to_owned()
}

fn find(table: &[(&str, &'static str)], text: &str) -> Option<&'static str> {
    table.iter().find(|(word, _)| text.contains(word)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";
    const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36 Edg/130.0";
    const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
    const ANDROID: &str = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36";

    fn client(user_agent: &str) -> ClientInfo {
        ClientInfo { user_agent: Some(user_agent.to_owned()), ..ClientInfo::default() }
    }

    #[test]
    fn families_are_told_apart_and_versions_are_not() {
        for (text, agent_name, platform_name) in [
            (CHROME, "chrome", "windows"),
            (EDGE, "edge", "windows"),
            (SAFARI, "safari", "ios"),
            (ANDROID, "chrome", "android"),
            ("curl/8.5.0", "curl", ""),
            ("Acme-App/3.1 CFNetwork/1490 Darwin/23.1", "cfnetwork", "macos"),
            ("billing-worker", "billing-worker", ""),
            ("", "", ""),
        ] {
            assert_eq!(
                (&*agent(&client(text)), &*platform(&client(text))),
                (agent_name, platform_name),
                "{text}"
            );
        }
        let key = MacKey::new([7; 32]);
        let kept = Fingerprint::of(&client(CHROME), &key);
        let differs = |now: &ClientInfo| difference(now, &key, Some(&kept.agent), Some(&kept.platform));
        assert_eq!(differs(&client(&CHROME.replace("130.0", "131.0"))), None);
        assert_eq!(differs(&client(EDGE)), Some(Difference::Agent));
        assert_eq!(differs(&client(ANDROID)), Some(Difference::Platform));
        assert_eq!(difference(&client(ANDROID), &key, None, None), None);
        let hinted = ClientInfo { platform_hint: Some("\"Windows\"".to_owned()), ..client(CHROME) };
        assert_eq!(differs(&hinted), None, "a hint says the same in other words");
        let brave = ClientInfo { brands: Some("\"Brave\";v=\"130\"".to_owned()), ..client(CHROME) };
        assert_eq!(differs(&brave), Some(Difference::Agent));
    }
}

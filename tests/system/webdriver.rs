//! A headless Chromium, driven by the W3C `WebDriver` protocol over plain HTTP.

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{client::Client, support::setting, wait};

/// How long a browser and its driver may take for anything.
const LIMIT: Duration = Duration::from_mins(1);
/// The key under which the protocol names an element (`WebDriver` §12).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window; ended when dropped.
#[derive(Debug)]
pub(crate) struct Browser {
    driver: Child,
    client: Client,
    session: Option<String>,
    profile: TempDir,
}

/// A file of this name on `PATH`, or where distributions put it.
fn program(name: &str) -> Option<PathBuf> {
    let path = setting("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain([PathBuf::from("/usr/bin")]);
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

impl Browser {
    /// Starts one; `None` when none is installed.
    pub(crate) fn start() -> Option<Self> {
        let (chromium, chromedriver) = (program("chromium")?, program("chromedriver")?);
        let profile = TempDir::new().unwrap();
        let mut driver = Command::new(chromedriver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let (_, rest) = line.split_once("started successfully on port ")?;
            Some(rest.trim_end_matches('.').to_owned())
        });
        let port = port.expect("chromedriver says its port");
        std::thread::spawn(move || lines.count());
        let client = Client::new(&format!("http://127.0.0.1:{port}"));
        let mut browser = Self { driver, client, session: None, profile };
        browser.session = Some(browser.open(&chromium.display().to_string()));
        Some(browser)
    }

    fn open(&self, chromium: &str) -> String {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            "--window-size=1280,1600",
            &profile,
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let opened = self.client.post("/session", &capabilities).expect(200);
        opened["value"]["sessionId"].as_str().unwrap().to_owned()
    }

    fn command(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Value> {
        let session = self.session.as_deref().unwrap_or_default();
        let reply = self.client.send(method, &format!("/session/{session}{path}"), None, body);
        let value = reply.body["value"].clone();
        if reply.status == 200 { Ok(value) } else { Err(value) }
    }

    /// Goes to a page and waits until it is loaded.
    pub(crate) fn go(&self, url: &str) {
        self.command("POST", "/url", Some(&json!({"url": url}))).unwrap();
    }

    /// What a script of the page's own world answers.
    pub(crate) fn script(&self, script: &str) -> Value {
        self.command("POST", "/execute/sync", Some(&json!({"script": script, "args": []}))).unwrap()
    }

    fn find(&self, css: &str) -> Option<String> {
        let found =
            self.command("POST", "/element", Some(&json!({"using": "css selector", "value": css}))).ok()?;
        Some(found[ELEMENT].as_str()?.to_owned())
    }

    /// Waits for an element.
    #[track_caller]
    pub(crate) fn wait_for(&self, css: &str) -> String {
        wait::until(css, LIMIT, || self.find(css)).0
    }

    /// Whether there is such an element now.
    pub(crate) fn has(&self, css: &str) -> bool {
        self.find(css).is_some()
    }

    /// Waits for an element and clicks it, as soon as nothing is in the way.
    #[track_caller]
    pub(crate) fn click(&self, css: &str) {
        wait::until_true(&format!("a click on {css}"), LIMIT, || {
            let Some(element) = self.find(css) else { return false };
            self.command("POST", &format!("/element/{element}/click"), Some(&json!({}))).is_ok()
        });
    }

    /// Replaces what is in a field by typing.
    #[track_caller]
    pub(crate) fn type_into(&self, css: &str, text: &str) {
        let element = self.wait_for(css);
        let keys = |text: &str| {
            self.command("POST", &format!("/element/{element}/value"), Some(&json!({"text": text}))).unwrap();
        };
        keys("\u{e009}a\u{e000}"); // Control and `a`, then all keys up
        keys(text);
        let script = format!("return document.querySelector({}).value", json!(css));
        assert_eq!(self.script(&script), text, "{css}");
    }

    /// The text that is seen in the first such element.
    #[track_caller]
    pub(crate) fn text(&self, css: &str) -> String {
        let element = self.wait_for(css);
        let text = self.command("GET", &format!("/element/{element}/text"), None).unwrap();
        text.as_str().unwrap_or_default().to_owned()
    }

    /// What is seen, as PNG.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        let image = self.command("GET", "/screenshot", None).unwrap();
        BASE64_STANDARD.decode(image.as_str().unwrap()).unwrap()
    }

    /// What the browser complained of, violations of the content security policy included.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.command("POST", "/se/log", Some(&json!({"type": "browser"}))).unwrap();
        let entries = entries.as_array().cloned().unwrap_or_default();
        entries.iter().map(|entry| format!("{}: {}", entry["level"], entry["message"])).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if let Some(session) = &self.session {
            // Ends the browser itself, and waits for it.
            let _ = self.client.try_send("DELETE", &format!("/session/{session}"), None, None);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

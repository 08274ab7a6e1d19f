//! README's tour, executed from README itself.
//!
//! Blocks opened by ```` ```sh tour ```` run in order in one `bash -eu`, in a folder that holds a copy of
//! `policies/`, beside a server that was started there. A block ```` ```text expect ```` lists lines that
//! the block before it prints; `…` stands for anything within a line. The README's addresses are replaced
//! by those of the server; `bailiwick` on the `PATH` is the program under test, and works on its data.
//! `SETUP_TOKEN` is the token that the server printed.

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use crate::{
    server::{Installation, PROGRAM, Server},
    turn::Turn,
    wait,
};

/// How long the whole tour may take.
const LIMIT: Duration = Duration::from_mins(3);
/// What separates the output of one block from that of the next.
const MARK: &str = "-=-=- next block -=-=-";

/// One stop of the tour.
#[derive(Debug, PartialEq, Eq)]
struct Stop {
    /// Line of the README at which the block opens, from 1.
    line: usize,
    commands: String,
    expected: Vec<String>,
}

#[test]
fn the_tour_of_the_readme_goes_as_it_says() {
    let _turn = Turn::alone(); // the README gives an edit two seconds
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README.md");
    let stops = stops(&readme);
    assert!(!stops.is_empty(), "README.md has no block that opens with ```sh tour");
    assert!(stops.iter().any(|stop| !stop.expected.is_empty()), "README.md has no block ```text expect");

    let installation = Installation::new(&[]);
    copy(&root.join("policies"), &installation.folder().join("policies"));
    let server = installation.start();
    let output = run(&installation, &server, &stops);
    if let Some(difference) = difference(&stops, &output) {
        panic!("{difference}");
    }
}

/// The tour's blocks with what is expected of each.
fn stops(text: &str) -> Vec<Stop> {
    let mut stops: Vec<Stop> = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```").filter(|info| !info.is_empty()) else { continue };
        let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
        let inside: Vec<_> = inside.map(str::to_owned).collect();
        match (info.trim(), stops.last_mut()) {
            ("sh tour", _) => {
                stops.push(Stop { line: at + 1, commands: inside.join("\n"), expected: Vec::new() });
            }
            ("text expect", Some(stop)) => {
                stop.expected.extend(inside.into_iter().filter(|line| !line.trim().is_empty()));
            }
            _ => {}
        }
    }
    stops
}

/// What each block printed; blocks after one that failed are missing.
fn run(installation: &Installation, server: &Server, stops: &[Stop]) -> Vec<String> {
    let mut script = String::from("exec 2>&1\n");
    for stop in stops {
        script.push_str(&stop.commands);
        script.push_str("\necho '");
        script.push_str(MARK);
        script.push_str("'\n");
    }
    for (written, actual) in [("8080", &server.public), ("8081", &server.internal), ("8082", &server.admin)] {
        for host in ["127.0.0.1", "localhost"] {
            script = script.replace(&format!("http://{host}:{written}"), &actual.url);
        }
    }
    let programs = Path::new(PROGRAM).parent().unwrap().display().to_string();
    let path = format!("{programs}:{}", crate::support::setting("PATH").unwrap_or_default());
    let mut command = installation.command("bash");
    command.args(["-eu", "-c", &script]).env("PATH", path).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs(server.setup_token.as_ref().map(|token| ("SETUP_TOKEN", token)));
    let mut bash = Running(command.spawn().unwrap());
    let mut out = bash.0.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        out.read_to_string(&mut text).map(|_| text)
    });
    wait::until("the tour ends", LIMIT, || bash.0.try_wait().unwrap());
    let text = reader.join().unwrap().unwrap();
    text.split(&format!("{MARK}\n")).map(str::to_owned).collect()
}

/// A process that is ended when the test is.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What went otherwise than the README says, for people.
fn difference(stops: &[Stop], output: &[String]) -> Option<String> {
    // The last piece is what follows the last mark, or what the failing block printed.
    let finished = output.len().saturating_sub(1);
    for (at, stop) in stops.iter().enumerate() {
        let printed = output.get(at).map_or("", String::as_str);
        let missing: Vec<_> =
            stop.expected.iter().filter(|wanted| !printed.lines().any(|line| fits(wanted, line))).collect();
        if at < finished && missing.is_empty() {
            continue;
        }
        let fate = if at < finished { "printed something else" } else { "failed" };
        let missing = marked("-", missing.into_iter().map(String::as_str));
        return Some(format!(
            "README.md:{}: the block {fate}\n{}expected and not printed:\n{missing}printed:\n{}",
            stop.line,
            marked("$", stop.commands.lines()),
            marked("+", printed.lines()),
        ));
    }
    None
}

fn marked<'a>(sign: &str, lines: impl Iterator<Item = &'a str>) -> String {
    lines.flat_map(|line| ["  ", sign, " ", line, "\n"]).collect()
}

/// Whether `line` contains `wanted`, in which `…` is anything.
fn fits(wanted: &str, line: &str) -> bool {
    let mut rest = line;
    wanted.trim().split('…').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn blocks_are_found_and_compared() {
    let text = "a\n```sh tour\necho a 17 b\n```\n\n```text expect\na … b\n```\n```sh\nnot this\n```\n\
                ```sh tour\nfalse\n```\n```text expect\nnever\n\n```\n";
    let stops = stops(text);
    assert_eq!(stops.len(), 2);
    assert_eq!((stops[0].line, stops[0].commands.as_str()), (2, "echo a 17 b"));
    assert_eq!(
        (stops[0].expected.as_slice(), stops[1].expected.as_slice()),
        (&["a … b".to_owned()][..], &["never".to_owned()][..])
    );
    for (wanted, line, expected) in [
        ("a … b", "x a 17 b y", true),
        ("a … b", "b 17 a", false),
        ("\"decision\":\"allow\"", "{\"decision\":\"allow\"}", true),
        ("…", "", true),
    ] {
        assert_eq!(fits(wanted, line), expected, "{wanted} {line}");
    }
    let output = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    assert_eq!(difference(&stops, &output(&["a 17 b\n", "never\n", ""])), None);
    let failed = difference(&stops, &output(&["a 17 b\n", "no\n"])).unwrap();
    assert!(
        failed.starts_with("README.md:12: the block failed")
            && failed.contains("  - never")
            && failed.contains("  + no"),
        "{failed}"
    );
    let differs = difference(&stops, &output(&["a\n", "never\n", ""])).unwrap();
    assert!(differs.starts_with("README.md:2: the block printed something else"), "{differs}");
}

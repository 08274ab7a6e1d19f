//! Closed-loop load by `wrk`: as many requests as the connections can carry.

use std::{fs, path::PathBuf, process::Command};

use tempfile::TempDir;

/// Connections that are kept busy.
pub(crate) const CONNECTIONS: u32 = 64;

/// Requests for `wrk`, in a file of their own.
#[derive(Debug)]
pub(crate) struct Load {
    script: PathBuf,
    _folder: TempDir,
}

/// What one run measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    /// Requests a second.
    pub(crate) rate: f64,
    /// Latencies, microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Answers other than 2xx, and requests without an answer.
    pub(crate) failed: u64,
}

/// What `wrk` runs: every body in turn, begun at a place that differs from round to round.
const SCRIPT: &str = r#"
local requests, at = {}, 0
function init(args)
  local headers = { ["content-type"] = "application/json", ["authorization"] = "Bearer " .. TOKEN }
  for line in io.lines(BODIES) do
    requests[#requests + 1] = wrk.format(METHOD, PATH, headers, METHOD == "POST" and line or nil)
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format("MEASURED %d %d %.1f %.1f %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"#;

impl Load {
    /// Requests to `path` with these bodies, one line each; GETs when there are none.
    pub(crate) fn new(path: &str, token: &str, bodies: &[String]) -> Self {
        let folder = TempDir::new().unwrap();
        let (list, script) = (folder.path().join("bodies"), folder.path().join("load.lua"));
        let method = if bodies.is_empty() { "GET" } else { "POST" };
        assert!(bodies.iter().all(|body| !body.contains('\n')), "a body is one line");
        fs::write(&list, if bodies.is_empty() { "-\n".to_owned() } else { bodies.join("\n") + "\n" })
            .unwrap();
        let list = list.display();
        let head = format!("METHOD, PATH, TOKEN, BODIES = '{method}', '{path}', '{token}', '{list}'\n");
        fs::write(&script, head + SCRIPT).unwrap();
        Self { script, _folder: folder }
    }

    /// Runs it against a server.
    pub(crate) fn run(&self, url: &str, seconds: u64) -> Run {
        let mut command = Command::new("wrk");
        command.args(["-t1", &format!("-c{CONNECTIONS}"), &format!("-d{seconds}s"), "--latency", "-s"]);
        let output = command.arg(&self.script).arg(url).output().expect("`wrk` is installed");
        let text = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        let line = text.lines().find_map(|line| line.strip_prefix("MEASURED "));
        let line = line.unwrap_or_else(|| panic!("wrk said nothing:\n{text}\n{errors}"));
        let numbers: Vec<f64> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let failed = numbers[4] as u64;
        Run { rate: numbers[0] * 1e6 / numbers[1], p50: numbers[2], p99: numbers[3], failed }
    }
}

//! Threads that do not wait for others: what sends requests and what watches the machine would in truth stand
//! elsewhere, and must not queue for a processor behind what they measure.

use std::{fs, process::Command};

/// Lets this thread run before every ordinary one (`SCHED_FIFO`), on one processor only where one is named;
/// answers whether the system permits it.
pub(crate) fn rise(priority: u8, processor: Option<usize>) -> bool {
    let Ok(path) = fs::read_link("/proc/thread-self") else { return false };
    let Some(thread) = path.file_name().and_then(|name| name.to_str()) else { return false };
    let runs = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    let stays = |number: usize| runs("taskset", &["-p", "-c", &number.to_string(), thread]);
    processor.is_none_or(stays) && runs("chrt", &["-f", "-p", &priority.to_string(), thread])
}

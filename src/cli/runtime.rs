//! The runtime of the commands that need one.

use anyhow::Context;

/// Stack of a worker thread, bytes: Cedar's evaluator recurses as deep as policies nest.
const STACK_BYTES: usize = 8 * 1024 * 1024;

/// Runs `command` to its end.
///
/// Errors: its own; or the runtime cannot start.
pub(super) fn block_on<T>(command: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build()
        .context("the runtime cannot start")?;
    runtime.block_on(command)
}

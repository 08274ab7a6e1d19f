//! A thread with a large stack, for work that walks Cedar's trees by recursion.

/// Bytes of stack. Of this much only what is touched is used.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// Does `work` on a thread of its own and waits for it.
///
/// Errors: why there is no outcome: no thread could be had, or the work panicked.
pub(super) fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("policy".to_owned()).stack_size(STACK_BYTES);
        match builder.spawn_scoped(scope, work).map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(_)) => Err("the work panicked".to_owned()),
            Err(error) => Err(format!("there is no thread to work on: {error}")),
        }
    })
}

//! The `bailiwick` command.

/// Requests allocate much and briefly, on many threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    bailiwick::cli::run(std::env::args_os())
}

//! The `bailiwick` command.

fn main() -> std::process::ExitCode {
    bailiwick::cli::run(std::env::args_os())
}

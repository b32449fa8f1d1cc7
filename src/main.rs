//! The `landbridge` command.

fn main() -> std::process::ExitCode {
    landbridge::cli::main()
}

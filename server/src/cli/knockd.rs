//! The daemon as knockd: its command line, its files, its messages and exit statuses.

pub(super) mod background;
mod instance;
mod options;
mod pid_file;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::addresses;
use crate::cli::daemon;
use crate::cli::knockd::background::Background;
use crate::cli::knockd::options::{Answer, Options};
use crate::cli::knockd::pid_file::PidFile;
use crate::cli::terminal;
use crate::config::settings::Interfaces;
use crate::config::{self, AsKnockd};
use crate::io::process;
use crate::keeper::{self, LoadError, RunError, Source, Stopped};

/// Whether a command line is knockd's: it is called so, or its first word is an option that only knockd has.
pub(super) fn is_meant(arguments: &[OsString]) -> bool {
    let name = arguments.first().map(PathBuf::from);
    let is_called_so = name.is_some_and(|name| name.file_name().is_some_and(|name| name == "knockd"));
    is_called_so || arguments.get(1).and_then(|first| first.to_str()).is_some_and(is_only_knockds)
}

/// Whether an option is knockd's, and none of ours.
fn is_only_knockds(word: &str) -> bool {
    let ours = ["-h", "-V", "--help", "--version"];
    let is_option = word.len() > 1 && word.starts_with('-') && word != "--";
    is_option && !ours.contains(&word) && !word.starts_with("--config")
}

/// Runs knockd's command line, the program's name first.
pub(super) fn run(arguments: &[OsString]) -> ExitCode {
    match options::read(arguments) {
        Answer::Run(options) if options.daemon => background::start(arguments),
        Answer::Run(options) => serve(&options, None),
        Answer::Say { on_stderr, on_stdout } => {
            on_stderr.into_iter().for_each(terminal::note);
            said(on_stdout, 0)
        }
    }
}

/// Runs the same in the background process that [`background::start`] has made.
pub(super) fn run_in_background(arguments: &[OsString]) -> ExitCode {
    match (options::read(arguments), Background::begin()) {
        (Answer::Run(options), Ok(background)) => serve(&options, Some(background)),
        (Answer::Run(_), Err(error)) => failed(&format!("can't run in the background: {error}")),
        (Answer::Say { .. }, _) => ExitCode::FAILURE,
    }
}

fn said(text: String, status: u8) -> ExitCode {
    terminal::say(text).map_or(ExitCode::FAILURE, |()| ExitCode::from(status))
}

fn failed(message: &str) -> ExitCode {
    terminal::note(message);
    ExitCode::FAILURE
}

/// An error of the configuration: what it is, and then, as knockd has it, how to call the program.
fn misconfigured(message: &str) -> ExitCode {
    terminal::note(message);
    said(options::usage(), 1)
}

fn serve(options: &Options, background: Option<Background>) -> ExitCode {
    daemon::log_to_stderr(if options.debug { tracing::Level::DEBUG } else { tracing::Level::WARN });
    process::keep_descriptors();
    let file = match config::read_knockd(&options.config) {
        Ok(file) => file,
        Err(error) => return misconfigured(&error.in_knockds_words()),
    };
    let interface = options.interface.clone().or(file.options.interface);
    let given = interface.as_ref().map(|interface| config::interfaces(interface, options.only_v4));
    let interfaces = match given {
        Some(Ok(interfaces)) => interfaces,
        Some(Err(name)) => return failed(&format!("could not open {name}: {name}: No such device exists")),
        None => Interfaces::Default { ipv6: !options.only_v4 },
    };
    let pid_path = file.options.pid_file.unwrap_or_else(|| options.pid_file.clone());
    let state = instance::state_directory(&options.config, interface.as_deref(), &pid_path);
    let interface = interface.unwrap_or_else(addresses::default_interface);
    let as_knockd = AsKnockd {
        directory: std::env::current_dir().unwrap_or_else(|_| "/".into()),
        config: options.config.clone(),
        state,
        interface,
        interfaces,
        log_file: options.log_file.clone(),
        verbose: options.verbose,
        lookup: options.lookup,
    };
    watch(as_knockd, &pid_path, background)
}

fn watch(as_knockd: AsKnockd, pid_path: &std::path::Path, background: Option<Background>) -> ExitCode {
    let Ok(event_loop) = daemon::event_loop() else { return failed("can't make an event loop") };
    let mut pid_file = None;
    let begun = || {
        let background = background?;
        // Before whoever started the daemon hears that it runs, and looks for the file.
        let made = PidFile::write(pid_path);
        background.detach();
        match made {
            Ok(made) => {
                pid_file = Some(made);
                None
            }
            Err(error) => Some((pid_path.to_owned(), error)),
        }
    };
    let ran = event_loop.block_on(keeper::run(Source::Knockd(as_knockd), process::start_listener, begun));
    match ran {
        Ok(stopped) => {
            drop(pid_file);
            ExitCode::from(status(stopped))
        }
        Err(RunError::Load(LoadError::Knockd(error))) => misconfigured(&error.in_knockds_words()),
        Err(error) => failed(&error.to_string()),
    }
}

/// knockd ends with the signal's number.
const fn status(stopped: Stopped) -> u8 {
    match stopped {
        Stopped::Terminated => 15,
        Stopped::Interrupted => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(line: &str) -> bool {
        is_meant(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn a_command_line_is_knockds_by_name_or_by_its_first_option() {
        for line in ["knockd", "/usr/sbin/knockd -V", "knockd --help", "knockd status", "knockd --config x"] {
            assert!(meant(line), "{line}");
        }
        for line in ["-i eth0", "-d", "-c x", "-dv", "--interface=eth0", "--int eth0", "-4", "--only-ip-v4"] {
            assert!(meant(&format!("knock-spad {line}")), "{line}");
        }
        for line in
            ["status", "--config x check", "--config=x", "-h", "-V", "--help", "--version", "run -d", "-"]
        {
            assert!(!meant(&format!("/usr/sbin/knock-spad {line}")), "{line}");
        }
        assert!(!meant("knock-spad"));
    }
}

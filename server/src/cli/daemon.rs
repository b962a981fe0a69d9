//! `knock-spad run`, and the commands that ask the running daemon.

use std::os::fd::OwnedFd;
use std::path::Path;

use clap::Args;
use knock_spa_engine::rules::Lease;
use knock_spa_proto::address::Address;
use knock_spa_proto::control::{Command, Reply};
use knock_spa_proto::service::ServiceName;
use tracing::Instrument as _;

use crate::audit;
use crate::cli::failure::{Exit, Failure};
use crate::cli::{load_config, terminal};
use crate::config::LeaseText;
use crate::config::dialect::Dialect;
use crate::config::settings::Paths;
use crate::control::{self, AskError};
use crate::io::process;
use crate::keeper::{self, RunError};
use crate::listener;

/// What is said where a daemon with a file of knockd's is asked for something.
const AS_KNOCKD: &str = "as knockd it takes commands only where the configuration had a line SPA at its start; else its \
                         log tells what it does, and SIGHUP has it read its files again";

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// How much to log: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log_level: tracing::Level,
    /// Do everything but act, and say what would be done.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct OpenArguments {
    /// The door.
    door: ServiceName,
    /// The address that it opens for.
    address: Address,
    /// For how long, such as 90s, 10m or forever; for as long as the door opens by itself where absent.
    #[arg(long = "for", value_name = "SPAN")]
    lease: Option<LeaseText>,
    /// Longer than the door's `max-open`, if need be.
    #[arg(long)]
    beyond_max_open: bool,
}

#[derive(Debug, Args)]
pub(super) struct CloseArguments {
    /// The door.
    #[arg(required_unless_present_any = ["client", "all"])]
    door: Option<ServiceName>,
    /// The address that it is to be closed for; all of them where absent.
    address: Option<Address>,
    /// What this client has open.
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Everything that is open.
    #[arg(long, conflicts_with_all = ["door", "address", "client"])]
    all: bool,
    /// End the connections too that came in through what is closed.
    #[arg(long)]
    cut: bool,
}

/// Runs the daemon until it is told to stop.
pub(super) fn run(config: &Path, arguments: &RunArguments) -> Result<(), Failure> {
    process::keep_descriptors();
    let config = config.to_owned();
    let stopped = if arguments.dry_run {
        audit::begin(arguments.log_level, None);
        let run = keeper::run(keeper::Source::Rehearsed(config), process::start_listener, || None);
        // Nobody takes a line of it for one of a daemon.
        event_loop()?.block_on(run.instrument(tracing::error_span!("dry-run")))
    } else {
        log_to_stderr(arguments.log_level);
        let run = keeper::run(keeper::Source::Native(config), process::start_listener, || None);
        event_loop()?.block_on(run)
    };
    Ok(stopped.map(drop)?)
}

/// Runs the listener, on the channel that the keeper gave it.
pub(super) fn listen() -> Result<(), Failure> {
    log_to_stderr(tracing::Level::INFO);
    let outcome = listener::inherit().and_then(|end: OwnedFd| {
        let event_loop = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        event_loop.block_on(listener::run(end))
    });
    outcome.map_err(|error| Failure::new(Exit::System, format_args!("the listener failed: {error}")))
}

pub(super) fn event_loop() -> Result<tokio::runtime::Runtime, Failure> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::new(Exit::System, format_args!("can't make an event loop: {error}")))
}

/// Has events told: to the journal where standard error leads there, else as lines.
pub(super) fn log_to_stderr(level: tracing::Level) {
    #[expect(clippy::disallowed_methods, reason = "the command line reads the environment")]
    let stream = std::env::var("JOURNAL_STREAM");
    audit::begin(level, stream.ok().as_deref());
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Load(error) => {
                let exit = match error.file() {
                    Some(error) if error.is_denied() => Exit::Permission,
                    Some(error) if error.is_absent() => Exit::NoInput,
                    Some(_) | None => Exit::Config,
                };
                Self::new(exit, error).hint("`knock-spad check` shows everything that is wrong at once")
            }
            RunError::Journal(error) => error.into(),
            RunError::System { error: ref reason, .. } => {
                let denied = reason.kind() == std::io::ErrorKind::PermissionDenied;
                let exit = if denied { Exit::Permission } else { Exit::System };
                Self::new(exit, error)
            }
        }
    }
}

/// `knock-spad reload`.
pub(super) fn reload(config: &Path) -> Result<(), Failure> {
    let paths = load_config(config)?.settings.paths;
    terminal::say(done(ask(config, &paths, Command::Reload)?)?)
}

/// `knock-spad open`.
pub(super) fn open(config: &Path, arguments: &OpenArguments) -> Result<(), Failure> {
    let paths = load_config(config)?.settings.paths;
    let lease = arguments.lease.as_ref().map(|LeaseText(lease)| *lease);
    let command = Command::Open {
        door: arguments.door.to_string(),
        address: arguments.address.to_string(),
        seconds: lease.and_then(Lease::span).map(|span| span.as_secs()),
        forever: lease == Some(Lease::Forever),
        beyond: arguments.beyond_max_open,
    };
    terminal::say(done(ask(config, &paths, command)?)?)
}

/// `knock-spad close`.
pub(super) fn close(config: &Path, arguments: &CloseArguments) -> Result<(), Failure> {
    let paths = load_config(config)?.settings.paths;
    let command = Command::Close {
        door: arguments.door.map(|door| door.to_string()),
        address: arguments.address.map(|address| address.to_string()),
        client: arguments.client.clone(),
        cut: arguments.cut,
    };
    terminal::say(done(ask(config, &paths, command)?)?)
}

/// Asks the daemon that runs.
pub(super) fn ask(config: &Path, paths: &Paths, command: Command) -> Result<Reply, Failure> {
    control::ask(&paths.runtime, command).map_err(|error| {
        let is_absent = matches!(error, AskError::NoDaemon(_));
        let failure = Failure::from(error);
        if is_absent && Dialect::of(config) == Dialect::Knockd { failure.hint(AS_KNOCKD) } else { failure }
    })
}

impl From<AskError> for Failure {
    fn from(error: AskError) -> Self {
        match error {
            AskError::NoDaemon(_) => Self::new(Exit::Unavailable, error)
                .hint("start it with `systemctl start knock-spad` or `knock-spad run`"),
            AskError::NotAllowed(_) => Self::new(Exit::Permission, error).hint("run it as root"),
            AskError::Io(_) | AskError::Answer(_) => Self::new(Exit::Io, error),
        }
    }
}

/// What was done, in the daemon's words.
pub(super) fn done(reply: Reply) -> Result<String, Failure> {
    match reply {
        Reply::Done { what } => Ok(what),
        Reply::Failed { why } => Err(Failure::new(Exit::Data, why)),
        Reply::Status(_) | Reply::ClientsReloaded(_) | Reply::LastUses { .. } => {
            Err(Failure::new(Exit::Io, "the daemon's answer is not understood"))
        }
    }
}

//! Random traces, of which many collide.

mod case;
mod dice;
mod shrink;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use knock_spa_tests::knockd::daemon::Daemon;
use knock_spa_tests::knockd::rig::Rig;
use knock_spa_tests::knockd::trace::Trace;

pub use self::case::Case;
pub use self::dice::Dice;
use self::shrink::shrunk;
use super::bench::{complaint, in_rigs, run};
use super::daemons;

/// How long a run is, and where its cases come from.
struct Campaign {
    seed: u64,
    cases: usize,
    limit: Duration,
}

/// What came of a run.
struct Report {
    cases: usize,
    /// Disagreements that came again.
    failures: Vec<String>,
    /// Disagreements that did not.
    accidents: Vec<String>,
}

/// A number that the environment gives.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// The seed that the environment gives, or another one each time.
fn seed() -> u64 {
    setting("KNOCKD_RANDOM_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
        u64::from(since.subsec_nanos()) ^ since.as_secs() << 20
    })
}

/// Runs a trace once, and says what is wrong.
fn judged(rig: &mut Rig, trace: &Trace, daemons: &[Daemon]) -> Option<String> {
    let run = run(rig, trace, daemons);
    complaint(trace, &run)
}

impl Campaign {
    fn run(&self) -> Report {
        let (daemons, start) = (daemons(), Instant::now());
        let (next, report) = (AtomicUsize::new(0), Mutex::new(Report::new()));
        in_rigs(&[(); RIGS], |rig, ()| {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let enough = number >= self.cases || start.elapsed() > self.limit;
                if enough || !report.lock().expect("nobody panics with it").failures.is_empty() {
                    return;
                }
                self.try_case(rig, number, &daemons, &report);
            }
        });
        let report = report.into_inner().expect("nobody panics with it");
        let seconds = start.elapsed().as_secs_f64();
        let rate = report.cases as f64 / seconds;
        println!("{} cases in {seconds:.1} s ({rate:.1}/s), seed {}", report.cases, self.seed);
        report
    }

    fn try_case(&self, rig: &mut Rig, number: usize, daemons: &[Daemon], report: &Mutex<Report>) {
        let case = Case::of(&mut Dice::new(self.seed, number));
        let first = judged(rig, &case.trace(), daemons);
        let is_repeated = first.is_some() && (0..3).any(|_| judged(rig, &case.trace(), daemons).is_some());
        let title = format!("=== case {number} of seed {}", self.seed);
        let failure = is_repeated.then(|| {
            let (case, complaint) = shrunk(case, |case| judged(rig, &case.trace(), daemons));
            format!(
                "{title}, with {} steps left:\n{}",
                case.steps.len(),
                complaint.or(first.clone()).unwrap_or_default()
            )
        });
        let mut report = report.lock().expect("nobody panics with it");
        report.cases += 1;
        match (failure, first) {
            (Some(failure), _) => report.failures.push(failure),
            (None, Some(first)) => report.accidents.push(format!("{title}:\n{first}")),
            (None, None) => {}
        }
    }
}

/// As many as keep two processors busy.
const RIGS: usize = 16;

impl Report {
    fn new() -> Self {
        Self { cases: 0, failures: Vec::new(), accidents: Vec::new() }
    }

    fn judge(&self) {
        println!("{} disagreements that did not come again", self.accidents.len());
        self.accidents.iter().for_each(|accident| println!("{accident}"));
        assert!(self.failures.is_empty(), "{}", self.failures.join("\n"));
        // A machine that is busy may mark a packet with the second after the one in which it was sent.
        let allowed = 1 + self.cases / 1000;
        assert!(self.accidents.len() <= allowed, "{} are too many", self.accidents.len());
    }
}

#[test]
fn random_traces_agree() {
    let usual = if std::env::var_os("CI").is_some_and(|value| value == "true") { 120 } else { 20 };
    let limit = Duration::from_secs(setting("KNOCKD_RANDOM_SECONDS").unwrap_or(usual));
    Campaign { seed: seed(), cases: usize::MAX, limit }.run().judge();
}

#[test]
#[ignore = "takes minutes: 10 000 random traces"]
fn many_random_traces_agree() {
    Campaign { seed: seed(), cases: 10_000, limit: Duration::from_secs(3600) }.run().judge();
}

//! The one thread and its timers and sockets.

use crate::failure::{Failure, Status};

/// Runs `task` to its end.
pub(crate) fn run<T>(task: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Status::Os, "cannot wait for events").because(error))?;
    Ok(runtime.block_on(task))
}

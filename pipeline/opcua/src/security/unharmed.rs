//! A callback that panics harms nobody but its caller. Left alone, async-opcua drops the client's whole connection.

use futures_util::FutureExt;
use opcua::types::StatusCode;
use std::{any::Any, future::Future, panic::AssertUnwindSafe};

/// Runs `callback`; a panic in it becomes `BadInternalError` for this one call and an error in the log.
///
/// `what` names it for the log: `StartSingleJob`.
///
/// # Errors
/// It panicked: our bug. What it was changing is as the panic left it.
pub async fn unharmed<T>(what: &str, callback: impl Future<Output = T>) -> Result<T, StatusCode> {
    AssertUnwindSafe(callback).catch_unwind().await.map_err(|panic| {
        let says = message(&*panic);
        tracing::error!(
            method = what,
            panic = says,
            "An OPC UA callback panicked: a bug of Plumb. Only this call failed."
        );
        StatusCode::BadInternalError
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("it left no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_one_failed_call() {
        assert_eq!(unharmed("Reset", async { 7 }).await, Ok(7));
        let panicking = async {
            tokio::task::yield_now().await;
            assert!(std::hint::black_box(false), "a bug");
        };
        assert_eq!(unharmed("Reset", panicking).await, Err(StatusCode::BadInternalError));
    }
}

//! Turns a panic inside other people's code into an error, without its message on the terminal.
//!
//! Device drivers panic where the machine lacks what they need, and decoders where a file is hostile. The person who asked
//! deserves one sentence, not that and a thread's last words.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic in it, on this thread, becomes `Err` with the first line of its message, and is not printed.
///
/// Not for our own code: a fault of ours should say where it is.
///
/// ```
/// let last = sensorium_core::quietly(|| [1, 2, 3][..0].last().copied().expect("no number"));
/// assert_eq!(last, Err("no number".to_owned()));
/// ```
pub fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    // Other threads keep the hook they had: theirs are real faults.
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if !QUIET.get() {
                previous(info);
            }
        }));
    });
    let before = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    QUIET.set(before);
    result.map_err(|panic| message(panic.as_ref()))
}

/// The first line a panic carries.
fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("it panicked");
    text.lines().next().unwrap_or(text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_first_line() {
        assert_eq!(quietly(|| 3), Ok(3));
        assert_eq!(
            quietly(|| panic!("no adapter\nat line 3")).map(|()| 0),
            Err("no adapter".to_owned())
        );
        let number = 7;
        assert_eq!(
            quietly(|| panic!("device {number}")).map(|()| 0),
            Err("device 7".to_owned())
        );
    }
}

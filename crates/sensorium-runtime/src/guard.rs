//! Turns a panic inside a driver library into an error, without its message on the terminal.
//!
//! Burn's device constructors panic where the machine lacks what they need; a person who asks for a backend deserves a
//! sentence instead.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic becomes `Err` with its message.
pub(crate) fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, String> {
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
        .unwrap_or("its driver panicked");
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

//! A panic that is caught prints nothing, and others still do. A process of its own: it has one panic hook.

use std::panic::{catch_unwind, set_hook};
use std::sync::atomic::{AtomicUsize, Ordering};

use sensorium_core::quietly;

static PRINTED: AtomicUsize = AtomicUsize::new(0);

#[test]
fn only_what_is_not_asked_quietly_is_printed() {
    set_hook(Box::new(|_| {
        PRINTED.fetch_add(1, Ordering::SeqCst);
    }));
    let printed = || PRINTED.load(Ordering::SeqCst);
    assert_eq!(
        quietly(|| panic!("a decoder")).map(|()| 0),
        Err("a decoder".to_owned())
    );
    assert_eq!(printed(), 0);
    // Ours, after it and on another thread meanwhile.
    assert!(catch_unwind(|| panic!("ours")).is_err());
    assert_eq!(printed(), 1);
    let other = quietly(|| {
        std::thread::spawn(|| panic!("another thread"))
            .join()
            .is_err()
    });
    assert_eq!((other, printed()), (Ok(true), 2));
}

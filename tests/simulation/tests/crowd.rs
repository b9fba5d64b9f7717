//! Many who leave in the same minute.

use stallkeeper_simulation::{Backend, all_leave_at_once};

/// At one call a second more than ten minutes of calls: more than the least margin has room for.
#[test]
fn many_that_leave_at_once_are_all_billed_in_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let backend = Backend::sqlite().await.unwrap();
        let left = all_leave_at_once(5_200, &backend).await.unwrap();
        assert_eq!((left.billed, left.late, left.lost), (15_600, 0, 0));
        let (least, most) = (624, 655);
        assert!((least..=most).contains(&left.calls), "{} calls, and {least} would do", left.calls);
    });
}

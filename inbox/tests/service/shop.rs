//! Shops whose orders the sandbox pushes to the inbox.

use std::time::Duration;

use aifi_sandbox::{Call, Options, Push, Sandbox, Trouble};

use crate::harness::Service;

/// A sandbox that pushes to the service, with these troubles. Its clock stands still if it is `frozen`.
pub(crate) fn sandbox(
    service: &Service,
    troubles: Vec<(Trouble, f64)>,
    retries: u32,
    frozen: bool,
) -> Sandbox {
    let push = Push::to(&service.url("/checkout")).unwrap();
    let push = Push { token: Some("new".to_owned()), troubles, retries, ..push };
    Sandbox::start(Options { orders: 10, frozen, push: Some(push), ..Options::default() }).unwrap()
}

/// Orders are drafted, completed, contested and reviewed.
pub(crate) fn live(sandbox: &Sandbox, orders: usize) {
    for number in 0..orders {
        let id = sandbox.add_order_at(sandbox.now());
        sandbox.pay(id).unwrap();
        if number.is_multiple_of(3) {
            sandbox.contest(id).unwrap();
            sandbox.review(id).unwrap();
        }
    }
}

/// All calls, once none is to come any more; that is looked at so often, every fifty milliseconds.
pub(crate) async fn calls(sandbox: &Sandbox, looks: u32) -> Vec<Call> {
    for _ in 0..looks {
        let pushed = sandbox.pushed();
        if pushed.waiting == 0 {
            return pushed.calls;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} events still wait", sandbox.pushed().waiting);
}

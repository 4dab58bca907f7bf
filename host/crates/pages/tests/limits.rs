//! The lock budget and hardening: limits of a whole process, so this is one of its own.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use txco_pages::{Locked, Pocket, Reservations, Shape, harden, unlocked_bytes};

const PAGE: usize = 64 * 1024;
const SHAPE: Shape = Shape { reservation: 1 << 20, guard: PAGE, accessible: PAGE };

#[test]
fn beyond_half_of_the_limit_memory_is_unlocked_and_counted() {
    let hard = getrlimit(Resource::Memlock).maximum;
    setrlimit(Resource::Memlock, Rlimit { current: Some(2 * PAGE as u64), maximum: hard }).unwrap();
    assert_eq!(unlocked_bytes(), 0);

    let pool = Reservations::new(4);
    let within = pool.take(SHAPE).unwrap();
    assert_eq!(unlocked_bytes(), 0, "half of the limit is ours to lock");
    let mut beyond = pool.take(SHAPE).unwrap();
    assert_eq!(unlocked_bytes(), PAGE as u64);
    beyond.grow_to(3 * PAGE).unwrap();
    assert_eq!(unlocked_bytes(), 3 * PAGE as u64);
    let key = Locked::zeroed(32).unwrap();
    assert_eq!(unlocked_bytes(), 3 * PAGE as u64, "guests cannot crowd a key out of its lock");
    drop(beyond);
    assert_eq!(unlocked_bytes(), PAGE as u64, "idle memory keeps its first size only");
    drop((pool, within, key));
    assert_eq!(unlocked_bytes(), 0);

    // Beyond the whole of it what is opened for a call is unlocked, and in use all the same.
    let page = rustix::param::page_size() as u64;
    setrlimit(Resource::Memlock, Rlimit { current: Some(page), maximum: hard }).unwrap();
    let mut opened = Pocket::zeroed(100);
    opened.bytes_mut().fill(7);
    assert!(unlocked_bytes() >= 4 * page, "{}", unlocked_bytes());
    let (kept, place) = (unlocked_bytes(), opened.bytes().as_ptr());
    drop(opened);
    let again = Pocket::zeroed(200);
    assert_eq!((again.bytes().as_ptr(), again.bytes()), (place, &[0; 200][..]), "used again, and wiped");
    assert_eq!(unlocked_bytes(), kept);

    let hardened = harden();
    assert_eq!(getrlimit(Resource::Memlock).current, hard, "soft is raised to hard");
    assert_eq!(hardened.memlock_budget, hard.map(|h| h / 2));
    assert!(hardened.core_dumps_off && hardened.undumpable);
    assert_eq!(getrlimit(Resource::Core).current, Some(0));
}

//! A schema from a peer, and, when it is valid, datagrams read by it: what a client that takes the
//! server's schema does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tickwire_fuzz::Stick;
use tickwire_shared::Tick;
use tickwire_shared::input::InputCodec;
use tickwire_shared::replica::Replica;
use tickwire_shared::schema::Schema;

fuzz_target!(|data: &[u8]| {
    let Ok((schema, rest)) = postcard::take_from_bytes::<Schema>(data) else { return };
    if schema.validate().is_err() {
        return;
    }
    assert_eq!(schema.accepts(&schema), Ok(()), "a valid schema fits itself");
    let mut replica = Replica::new(&schema, 0);
    for datagram in rest.chunks(64) {
        let _ = replica.apply(datagram, Tick(0));
    }
    let codec = InputCodec::new(&schema);
    let _ = codec.decode::<Stick>(rest);
});

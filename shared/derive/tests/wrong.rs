//! What the compiler says of a wrong use. After a change of a text: `TRYBUILD=overwrite cargo test -p
//! tickwire-derive --test wrong`, and read the difference.

#[test]
fn a_wrong_use_is_told_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/wrong/*.rs");
}

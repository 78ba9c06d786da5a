//! Where planted bugs change what a client sends.

use tickwire_shared::control::{ClientFrame, FrameReader, STREAM_CONTROL, write_frame};
use tickwire_shared::input::InputCodec;
use tickwire_shared::quantize::Lanes as _;
use tickwire_shared::simulation::schema_of;

use super::bug::PlantedBug;
use super::game::{Helm, LANES, Vault};

/// A datagram on its way to the server.
pub(crate) fn of_datagram(bytes: Vec<u8>) -> Vec<u8> {
    if !PlantedBug::AckOffByOne.is_planted() {
        return bytes;
    }
    let codec = InputCodec::new(&schema_of::<Vault>());
    let Ok(mut datagram) = codec.decode::<Helm>(&bytes) else { return bytes };
    let Some(ack) = &mut datagram.head.ack else { return bytes };
    ack.newest_low16 = ack.newest_low16.wrapping_add(1);
    let mut inputs = Vec::new();
    for helm in &datagram.inputs {
        let mut lanes = [0; LANES];
        helm.to_lanes(&mut lanes);
        inputs.extend_from_slice(&lanes[..codec.lanes()]);
    }
    codec.encode(datagram.head, &inputs)
}

/// The first bytes of a control stream.
pub(crate) fn of_control(bytes: Vec<u8>) -> Vec<u8> {
    let Some((&STREAM_CONTROL, rest)) = bytes.split_first() else { return bytes };
    if !PlantedBug::LostChatAck.is_planted() {
        return bytes;
    }
    let mut reader = FrameReader::default();
    reader.push(rest);
    let Ok(Some(mut resume)) = reader.poll() else { return bytes };
    let ClientFrame::Resume { received, .. } = &mut resume else { return bytes };
    received.chat = received.chat.saturating_sub(1);
    let mut changed = vec![STREAM_CONTROL];
    write_frame(&resume, &mut changed);
    changed
}

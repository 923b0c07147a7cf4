//! Numbers that look random and are always the same.

/// Spreads the bits of a number (the finisher of SplitMix64).
pub(crate) fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A number below `end` from the low half of a draw.
pub(crate) fn below(draw: u64, end: u32) -> u32 {
    (((draw & 0xFFFF_FFFF) * u64::from(end)) >> 32) as u32
}

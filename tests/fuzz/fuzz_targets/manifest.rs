//! Plugins' manifests.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| hotcell_fuzz::targets::manifest(data));

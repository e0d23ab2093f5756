//! What of the way out can be told without a connection.

#[path = "../../../host/broker/src/egress/address.rs"]
pub mod address;
#[path = "../../../host/broker/src/egress/origin.rs"]
pub mod origin;

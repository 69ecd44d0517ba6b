//! OPC UA, secured: certificates and trust, a client that says why it failed, and a Machine Vision server
//! (OPC 40100-1).

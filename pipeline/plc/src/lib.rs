//! Answer to wire: register map, handshake, protocols, and a PLC simulator.

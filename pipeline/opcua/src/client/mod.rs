//! A client that connects to an OPC UA server and says why it could not.

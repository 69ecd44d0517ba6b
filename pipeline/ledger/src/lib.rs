//! Record to SQLite and pictures.

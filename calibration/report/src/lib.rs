//! Numbers on paper: printable HTML pages with tables and plots, no script, no network.

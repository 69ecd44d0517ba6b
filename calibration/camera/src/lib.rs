//! Pictures of a known target to lens, plane, light and focus: what makes a pixel a millimetre.

//! Rule text to checked rules, and their evaluation; pure.

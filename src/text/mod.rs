//! Records as people read them.

pub mod call_lines;
pub mod color;
pub mod columns;
pub mod condition_line;
pub mod escape;
pub mod evidence_lines;
pub mod fetch_script;
pub mod fit;
pub mod graph;
pub mod marked;
pub mod object_lines;
pub mod plainly;
pub mod process_lines;
pub mod rows;
pub mod size;
pub mod stack_lines;
pub mod symbol_lines;
pub mod thread_line;
pub mod time;
pub mod token_lines;
pub mod uri;
pub mod wait_lines;

//! The object namespace.

use super::{Directory, Name, ObjectSpec, Pool, World};
use crate::address::Va;

/// Buckets of an `_OBJECT_DIRECTORY`, in every build.
const BUCKETS: u64 = 37;

impl World {
    /// The root of the namespace.
    #[must_use]
    pub fn root(&self) -> Va {
        let root = self.truth.objects.iter().find(|(_, object)| {
            object.type_name == "Directory"
                && object.name.as_ref().is_some_and(|(parent, _)| parent.is_null())
        });
        *root.expect("made with the world").0
    }

    /// Makes an object directory in `parent`.
    pub fn directory(&mut self, parent: Va, name: impl Into<Name>) -> Va {
        let size = self.kernel.size("_OBJECT_DIRECTORY");
        let name = Some((parent, name.into()));
        let body = self.object(ObjectSpec {
            name,
            ..ObjectSpec::of("Directory", size)
        });
        self.truth.directories.insert(body, Directory::default());
        body
    }

    pub(super) fn make_namespace(&mut self) {
        let root = self.directory(Va::NULL, "\\");
        let types = self.directory(root, "ObjectTypes");
        self.make_object_types(types);
    }

    /// Lists an object in its directory.
    pub(super) fn enter(&mut self, directory: Va, object: Va) {
        // A hash of anything: who walks all buckets finds it.
        let bucket = (object.0 >> 4) % BUCKETS;
        if !directory.is_null() {
            let entries = &mut self
                .truth
                .directories
                .get_mut(&directory)
                .expect("a directory")
                .entries;
            entries.push((object, bucket));
        }
    }

    pub(super) fn compile_directories(&mut self) {
        for (directory, content) in self.truth.directories.clone() {
            for (object, bucket) in content.entries {
                self.write_entry(directory, object, bucket);
            }
        }
        let root = self.root();
        let at = self.global("ObpRootDirectoryObject");
        self.write_pointer(at, root);
    }

    /// Puts an entry at the head of its bucket's chain.
    fn write_entry(&mut self, directory: Va, object: Va, bucket: u64) {
        let entry = self.allocate(Pool::Paged, self.kernel.size("_OBJECT_DIRECTORY_ENTRY"), *b"ObDi");
        let slot = self.field(directory, "_OBJECT_DIRECTORY", "HashBuckets") + bucket * self.pointer_size();
        let next = Va(self.memory.read_uint(slot, self.pointer_size()));
        self.point(entry, "_OBJECT_DIRECTORY_ENTRY", "ChainLink", next);
        self.point(entry, "_OBJECT_DIRECTORY_ENTRY", "Object", object);
        self.set_if(entry, "_OBJECT_DIRECTORY_ENTRY", "HashValue", bucket);
        self.write_pointer(slot, entry);
    }
}

//! Threads, what they wait for, and the client id table.

use std::collections::BTreeMap;

use super::handle_table::Entry;
use super::{CompletionPort, Name, ObjectSpec, Pool, Thread, Wait, World};
use crate::address::{PAGE_SIZE, Va};
use crate::bytes::count;

const ETHREAD: &str = "_ETHREAD";
const KTHREAD: &str = "_KTHREAD";
const HEADER: &str = "_DISPATCHER_HEADER";

/// Values of `_DISPATCHER_HEADER.Type`.
const SYNCHRONIZATION_EVENT: u64 = 1;
const MUTANT: u64 = 2;
const QUEUE: u64 = 4;
const SEMAPHORE: u64 = 5;
const THREAD: u64 = 6;

/// `KTHREAD_STATE`: waiting.
pub(super) const WAITING: u8 = 5;
/// `KWAIT_REASON`s.
const SUSPENDED: u8 = 5;
const USER_REQUEST: u8 = 6;
const WR_QUEUE: u8 = 15;
const WR_LPC_RECEIVE: u8 = 16;
const WR_LPC_REPLY: u8 = 17;

/// Priority of an ordinary thread without a boost.
const BASE_PRIORITY: u8 = 8;

/// Pages of a kernel stack.
const STACK_PAGES: u64 = 6;

impl World {
    /// Makes a thread.
    pub fn thread(&mut self, mut thread: Thread) -> Va {
        let size = self.kernel.size(ETHREAD);
        let spec = ObjectSpec {
            quota: true,
            address: thread.address,
            ..ObjectSpec::of("Thread", size)
        };
        thread.address = self.object(spec);
        thread.pid = self.truth.process(thread.process).pid;
        thread.stack_base = self.reserve_stack();
        if thread.priority == 0 {
            thread.priority = BASE_PRIORITY + 1;
        }
        if thread.state == 0 {
            thread.state = WAITING;
            thread.wait_reason = USER_REQUEST;
        }
        let address = thread.address;
        self.truth.threads.push(thread);
        address
    }

    /// The record of the thread at `address`, to be changed.
    ///
    /// # Panics
    /// Where there is none.
    pub fn thread_mut(&mut self, address: Va) -> &mut Thread {
        let found = self
            .truth
            .threads
            .iter_mut()
            .find(|thread| thread.address == address);
        found.unwrap_or_else(|| panic!("no thread at {address}"))
    }

    /// Makes `thread` wait for the reply to `message`, as both of them tell.
    pub fn wait_for_reply(&mut self, thread: Va, message: Va) {
        self.message_mut(message).waiting_thread = thread;
        let thread = self.thread_mut(thread);
        thread.state = WAITING;
        thread.wait_reason = WR_LPC_REPLY;
        thread.wait_mode = 1;
        thread.wait = Wait::AlpcSemaphore;
        thread.alpc_message_id = message.0;
        thread.alpc_wait = Some(message);
    }

    /// Makes `thread` wait on `port` for a message.
    pub fn wait_on_port(&mut self, thread: Va, port: Va) {
        self.port_mut(port).wait_queue.push(thread);
        let thread = self.thread_mut(thread);
        thread.state = WAITING;
        thread.wait_reason = WR_LPC_RECEIVE;
        thread.wait_mode = 1;
        thread.wait = Wait::AlpcSemaphore;
        thread.wait_port = Some(port);
    }

    /// Suspends a thread that waits: with `noticed` it has gone to wait for the end of its suspension instead, and
    /// will take the other wait up again.
    pub fn suspend(&mut self, thread: Va, noticed: bool) {
        let thread = self.thread_mut(thread);
        thread.suspend_count = 1;
        if noticed {
            thread.wait_reason = SUSPENDED;
            thread.wait_mode = 0;
            thread.wait = Wait::Suspension;
        }
    }

    /// Writes the thread environment block with the tag of the service that the thread works for.
    pub fn tag_service(&mut self, thread: Va, tag: u64) {
        let thread = self.truth.thread(thread).clone();
        let (offset, size) = (self.kernel.offset("_TEB", "SubProcessTag"), self.pointer_size());
        let memory = self.users.entry(thread.process).or_default();
        memory.write_uint(thread.teb + offset, size, tag);
    }

    /// Makes `thread` wait for a dispatcher object.
    pub fn wait_on(&mut self, thread: Va, object: Va) {
        let thread = self.thread_mut(thread);
        thread.wait = Wait::Object(object);
    }

    /// Registers `thread` with a completion port; with `waiting` it also waits there.
    pub fn serve(&mut self, thread: Va, queue: Va, waiting: bool) {
        let found = self.truth.queues.iter_mut().find(|port| port.address == queue);
        found.expect("a completion port").threads.push(thread);
        let thread = self.thread_mut(thread);
        thread.queue = Some(queue);
        if waiting {
            thread.state = WAITING;
            thread.wait_reason = WR_QUEUE;
            thread.wait_mode = 1;
            thread.wait = Wait::Object(queue);
        }
    }

    /// Makes a completion port: an IoCompletion object, whose body is a `_KQUEUE`.
    pub fn completion_port(&mut self) -> Va {
        self.completion_port_at(Va::NULL)
    }

    /// The same at an address; NULL for anywhere.
    pub fn completion_port_at(&mut self, address: Va) -> Va {
        let spec = ObjectSpec::of("IoCompletion", self.kernel.size("_KQUEUE"));
        let address = self.object(ObjectSpec { address, ..spec });
        self.truth.queues.push(CompletionPort {
            address,
            threads: Vec::new(),
        });
        address
    }

    /// Makes an event object.
    pub fn event(&mut self, name: Option<(Va, Name)>) -> Va {
        let size = self.kernel.size("_KEVENT");
        let address = self.object(ObjectSpec {
            name,
            ..ObjectSpec::of("Event", size)
        });
        self.write_dispatcher(address, SYNCHRONIZATION_EVENT, size);
        address
    }

    /// Makes a mutant that `owner` holds.
    pub fn mutant(&mut self, owner: Va) -> Va {
        let size = self.kernel.size("_KMUTANT");
        let address = self.object(ObjectSpec::of("Mutant", size));
        self.write_dispatcher(address, MUTANT, size);
        self.point(address, "_KMUTANT", "OwnerThread", owner);
        address
    }

    /// Room for a kernel stack; none of its pages exists before something is written there.
    fn reserve_stack(&mut self) -> Va {
        self.plan_stack(STACK_PAGES) + STACK_PAGES * PAGE_SIZE
    }

    pub(super) fn compile_threads(&mut self) {
        let threads = self.truth.threads.clone();
        let mut waits: BTreeMap<Va, Vec<Va>> = BTreeMap::new();
        for thread in &threads {
            self.write_thread(thread);
            self.write_wait(thread, &mut waits);
        }
        self.compile_queues();
        self.compile_requests();
        for (object, blocks) in waits {
            let head = self.field(object, HEADER, "WaitListHead");
            self.link(head, &blocks);
        }
        self.write_client_ids();
    }

    fn write_thread(&mut self, thread: &Thread) {
        let at = thread.address;
        self.write_dispatcher(at, THREAD, self.kernel.size(KTHREAD));
        self.set(at, KTHREAD, "State", u64::from(thread.state));
        self.set(at, KTHREAD, "WaitReason", u64::from(thread.wait_reason));
        self.set(at, KTHREAD, "WaitMode", u64::from(thread.wait_mode));
        self.set(at, KTHREAD, "Priority", u64::from(thread.priority));
        self.set(at, KTHREAD, "BasePriority", u64::from(BASE_PRIORITY));
        // As in the published thread of Vista (transcript 30).
        self.set(at, KTHREAD, "UserTime", 27);
        self.set(at, KTHREAD, "KernelTime", 14);
        self.set(at, ETHREAD, "ThreadIoPriority", 2);
        self.set(at, ETHREAD, "ThreadPagePriority", 5);
        let resident = u64::from(!thread.paged_out);
        self.set(at, KTHREAD, "KernelStackResident", resident);
        if thread.client_security != 0 {
            self.set(at, ETHREAD, "ActiveImpersonationInfo", 1);
            let client = self.field(at, ETHREAD, "ClientSecurity");
            self.write_pointer(client, Va(thread.client_security));
        }
        self.set(at, KTHREAD, "Alertable", u64::from(thread.alertable));
        self.set(at, KTHREAD, "SuspendCount", u64::from(thread.suspend_count));
        self.set(at, KTHREAD, "WaitTime", u64::from(thread.wait_time));
        self.point(at, KTHREAD, "Process", thread.process);
        self.point(at, KTHREAD, "ApcState.Process", thread.process);
        self.point(at, KTHREAD, "Teb", thread.teb);
        self.point(at, KTHREAD, "Win32Thread", thread.win32_thread);
        let list = self.field(at, KTHREAD, "MutantListHead");
        self.link(list, &[]);
        let suspension = self.suspension(at);
        if self.has(KTHREAD, "SuspendSemaphore") {
            self.write_semaphore(suspension, 2);
        } else {
            self.write_dispatcher(suspension, SYNCHRONIZATION_EVENT, self.kernel.size("_KEVENT"));
        }
        self.write_stack(thread);
        self.write_noted_locks(thread);
        self.write_executive_part(thread);
    }

    fn write_stack(&mut self, thread: &Thread) {
        let at = thread.address;
        self.point(at, KTHREAD, "StackBase", thread.stack_base);
        self.point(
            at,
            KTHREAD,
            "StackLimit",
            thread.stack_base - STACK_PAGES * PAGE_SIZE,
        );
        self.point(at, KTHREAD, "InitialStack", thread.stack_base - 0x250);
        let current = match thread.kernel_stack {
            Va::NULL => thread.stack_base - 0x7e0,
            at => at,
        };
        self.point(at, KTHREAD, "KernelStack", current);
        self.point(at, KTHREAD, "TrapFrame", thread.trap_frame);
    }

    fn write_executive_part(&mut self, thread: &Thread) {
        let at = thread.address;
        self.set(at, ETHREAD, "Cid.UniqueProcess", thread.pid);
        self.set(at, ETHREAD, "Cid.UniqueThread", thread.tid);
        self.point(at, ETHREAD, "StartAddress", thread.start_address);
        self.point(at, ETHREAD, "Win32StartAddress", thread.win32_start_address);
        self.set(
            at,
            ETHREAD,
            "AlpcMessageId",
            self.narrow(Va(thread.alpc_message_id)),
        );
        self.set(at, ETHREAD, "AlpcMessage", self.narrow(Va(thread.alpc_message)));
        let semaphore = self.field(at, ETHREAD, "AlpcWaitSemaphore");
        self.write_semaphore(semaphore, 1);
        if !thread.name.is_empty() && self.has(ETHREAD, "ThreadName") {
            let string = self.allocate(Pool::NonPaged, self.kernel.size("_UNICODE_STRING"), *b"ThNm");
            self.set_string(string, &thread.name.into(), Pool::NonPaged);
            self.point(at, ETHREAD, "ThreadName", string);
        }
    }

    pub(super) fn write_semaphore(&mut self, at: Va, limit: u64) {
        self.write_dispatcher(at, SEMAPHORE, self.kernel.size("_KSEMAPHORE"));
        self.set(at, "_KSEMAPHORE", "Limit", limit);
    }

    pub(super) fn write_event(&mut self, at: Va) {
        self.write_dispatcher(at, SYNCHRONIZATION_EVENT, self.kernel.size("_KEVENT"));
    }

    pub(super) fn write_dispatcher(&mut self, at: Va, of: u64, size: u64) {
        self.set(at, HEADER, "Type", of);
        self.set(at, HEADER, "Size", (size / 4) & 0xff);
        let list = self.field(at, HEADER, "WaitListHead");
        self.link(list, &[]);
    }

    /// The first wait block of a thread, and whose list it joins.
    fn write_wait(&mut self, thread: &Thread, waits: &mut BTreeMap<Va, Vec<Va>>) {
        let object = match thread.wait {
            Wait::None => return,
            Wait::AlpcSemaphore => self.field(thread.address, ETHREAD, "AlpcWaitSemaphore"),
            Wait::Suspension => self.suspension(thread.address),
            Wait::Object(object) => object,
        };
        let block = self.field(thread.address, KTHREAD, "WaitBlock");
        self.point(thread.address, KTHREAD, "WaitBlockList", block);
        self.set_if(thread.address, KTHREAD, "WaitBlockCount", 1);
        self.point(block, "_KWAIT_BLOCK", "Thread", thread.address);
        self.point(block, "_KWAIT_BLOCK", "Object", object);
        self.set(block, "_KWAIT_BLOCK", "WaitType", 1);
        if self.has("_KWAIT_BLOCK", "NextWaitBlock") {
            self.point(block, "_KWAIT_BLOCK", "NextWaitBlock", block);
        }
        let entry = self.field(block, "_KWAIT_BLOCK", "WaitListEntry");
        waits.entry(object).or_default().push(entry);
    }

    /// What a suspended thread waits for.
    fn suspension(&self, thread: Va) -> Va {
        let members = ["SuspendSemaphore", "SuspendEvent"];
        let member = members
            .into_iter()
            .find(|member| self.has(KTHREAD, member))
            .expect("one of them");
        self.field(thread, KTHREAD, member)
    }

    fn compile_queues(&mut self) {
        for queue in self.truth.queues.clone() {
            self.write_dispatcher(queue.address, QUEUE, self.kernel.size("_KQUEUE"));
            let entries = self.field(queue.address, "_KQUEUE", "EntryListHead");
            self.link(entries, &[]);
            self.set(queue.address, "_KQUEUE", "MaximumCount", 4);
            let head = self.field(queue.address, "_KQUEUE", "ThreadListHead");
            let threads: Vec<Va> = queue
                .threads
                .iter()
                .map(|&thread| self.field(thread, KTHREAD, "QueueListEntry"))
                .collect();
            self.link(head, &threads);
            for &thread in &queue.threads {
                self.point(thread, KTHREAD, "Queue", queue.address);
            }
        }
    }

    /// `PspCidTable`: its entries point at the bodies of processes and threads.
    fn write_client_ids(&mut self) {
        let processes = self
            .truth
            .processes
            .iter()
            .map(|process| (process.pid, process.address));
        let threads = self
            .truth
            .threads
            .iter()
            .map(|thread| (thread.tid, thread.address));
        let ids: Vec<(u64, Va)> = processes.chain(threads).collect();
        let entries: BTreeMap<u64, Entry> = ids
            .iter()
            .map(|&(id, pointer)| {
                (
                    id,
                    Entry {
                        pointer,
                        access: 0,
                        attributes: 0,
                    },
                )
            })
            .collect();
        assert_eq!(count(entries.len()), count(ids.len()), "client ids are unique");
        let table = self.make_handle_table();
        self.fill_handle_table(table, &entries, 0);
        let at = self.global("PspCidTable");
        self.write_pointer(at, table);
    }
}

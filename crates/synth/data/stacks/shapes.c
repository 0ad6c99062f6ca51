// Functions of many shapes, each of which calls the next through a pointer, so that no call is inlined or a jump.
// See README.md for how shapes-x64.sys is made of it.
typedef unsigned long long u64;
typedef u64 (*next_t)(u64, u64 *);

void halt(void);
volatile u64 sink;
next_t volatile table[16];

// No frame beyond the call.
u64 plain(u64 n, u64 *out) { u64 r = table[n](n + 1, out); sink = r; return r + 1; }

// All registers that a callee must save.
u64 saves(u64 n, u64 *out) {
  u64 a = out[0], b = out[1], c = out[2], d = out[3], e = out[4], f = out[5], g = out[6], h = out[7];
  u64 r = table[n](n + 1, out);
  sink = a ^ b ^ c; out[0] = a + r; out[1] = b; out[2] = c; out[3] = d; out[4] = e; out[5] = f; out[6] = g; out[7] = h;
  return r + a + b + c + d + e + f + g + h;
}

// A frame of middle size.
u64 medium(u64 n, u64 *out) {
  volatile u64 room[40]; room[n] = n;
  u64 r = table[n](n + 1, out); return r + room[n];
}

// A frame that takes more than one slot of unwind data.
u64 large(u64 n, u64 *out) {
  volatile u64 room[300]; room[n] = n;
  u64 r = table[n](n + 1, out); return r + room[n];
}

// A frame register, since the size of the frame is known only when it runs.
u64 dynamic(u64 n, u64 *out) {
  volatile u64 *room = __builtin_alloca(8 * (n + 20)); room[n] = n;
  u64 r = table[n](n + 1, out); return r + room[n];
}

// The same with saved registers.
u64 dynamic_saves(u64 n, u64 *out) {
  volatile u64 *room = __builtin_alloca(16 * (n + 9));
  u64 a = out[0], b = out[1], c = out[2], d = out[3]; room[n] = a;
  u64 r = table[n](n + 1, out); sink = b ^ c;
  out[0] = a; out[1] = b; out[2] = c; out[3] = d; return r + room[n] + a + b + c + d;
}

// Vector registers, which a walk passes over.
u64 vectors(u64 n, u64 *out) {
  double a = (double)out[0], b = (double)out[1], c = (double)out[2], d = (double)out[3];
  u64 r = table[n](n + 1, out);
  return r + (u64)(a + b * c - d);
}

// Recursion: one function twice.
u64 twice(u64 n, u64 *out) {
  if (n & 1) { u64 r = table[n](n + 1, out); return r + 3; }
  u64 r = table[n](n + 1, out); sink = r; return r * 2;
}

// Calls what does not come back: the return address is the next function's.
__attribute__((noreturn)) void never(u64 n, u64 *out) { table[n](n + 1, out); __builtin_unreachable(); }
u64 ends_in_a_call(u64 n, u64 *out) { sink = n; never(n, out); }

u64 handmade(u64 n, u64 *out);
u64 last(u64 n, u64 *out) { sink = n; halt(); return n; }

u64 entry(u64 *out) {
  table[0] = ends_in_a_call; table[1] = saves; table[2] = plain; table[3] = dynamic; table[4] = medium;
  table[5] = vectors; table[6] = dynamic_saves; table[7] = twice; table[8] = twice; table[9] = large;
  table[10] = handmade; table[11] = saves; table[12] = last;
  return table[0](1, out);
}

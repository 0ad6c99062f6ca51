	.text
	.globl halt
halt:
	hlt #0
	ret
	.globl _fltused
	.data
_fltused:
	.long 0

# The record of frames in the middle of the frame, and room that is taken after the prolog.
	.text
	.globl handmade
	.seh_proc handmade
handmade:
	sub sp, sp, #0x60
	.seh_stackalloc 0x60
	stp x29, x30, [sp, #0x20]
	.seh_save_fplr 0x20
	stp x19, x20, [sp, #0x10]
	.seh_save_regp x19, 0x10
	add x29, sp, #0x20
	.seh_add_fp 0x20
	.seh_endprologue
	mov x19, x0
	sub sp, sp, #0x50
	adrp x8, table
	add x8, x8, :lo12:table
	ldr x8, [x8, x0, lsl #3]
	add x0, x0, #1
	blr x8
	add x0, x0, x19
	sub sp, x29, #0x20
	ldp x19, x20, [sp, #0x10]
	ldp x29, x30, [sp, #0x20]
	add sp, sp, #0x60
	ret
	.seh_endproc

	.intel_syntax noprefix
	.text
	.globl halt
halt:
	hlt
	ret
	.globl _fltused
	.data
_fltused:
	.long 0

# What compilers write seldom: a frame register in the middle of the frame, a register saved by a move, and room that
# is taken after the prolog.
	.text
	.globl handmade
	.seh_proc handmade
handmade:
	push rbp
	.seh_pushreg rbp
	sub rsp, 0x60
	.seh_stackalloc 0x60
	lea rbp, [rsp+0x20]
	.seh_setframe rbp, 0x20
	mov [rsp+0x40], rbx
	.seh_savereg rbx, 0x40
	.seh_endprologue
	mov rbx, rcx
	sub rsp, 0x50
	lea rax, [rip+table]
	mov rax, [rax+rcx*8]
	inc rcx
	call rax
	add rax, rbx
	mov rbx, [rbp+0x20]
	lea rsp, [rbp+0x40]
	pop rbp
	ret
	.seh_endproc

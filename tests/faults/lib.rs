//! Disks that fail on command. Loaded with LD_PRELOAD, it stands between a program and the C library's writing calls:
//! for files below `RAPPORT_FAULT_DIR` they fail as the file named by `RAPPORT_FAULT` says at the moment, `full`, `io`
//! (writes that do not reach the disk) or `readonly`; and with `RAPPORT_FAULT_KILL=N` the process is killed at its Nth
//! write there. Their number is told on standard error at the end when `RAPPORT_FAULT_COUNT` is set.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static WRITES: AtomicU64 = AtomicU64::new(0);

fn variable(name: &CStr) -> Option<&'static [u8]> {
    // SAFETY: the environment is not changed by the programs under test.
    let value = unsafe { libc::getenv(name.as_ptr()) };
    // SAFETY: a non-null answer is a string of the environment.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_bytes())
}

/// The path of an open file, when it lies below the folder that has faults.
fn is_ours(fd: c_int) -> bool {
    let Some(folder) = variable(c"RAPPORT_FAULT_DIR") else { return false };
    let mut link = *b"/proc/self/fd/\0\0\0\0\0\0\0\0\0\0\0";
    let digits = fd.to_string();
    link[14..14 + digits.len()].copy_from_slice(digits.as_bytes());
    let mut path = [0_u8; 1_024];
    // SAFETY: both buffers outlive the call, which writes no more than it is told.
    let length = unsafe { libc::readlink(link.as_ptr().cast(), path.as_mut_ptr().cast(), path.len()) };
    usize::try_from(length).is_ok_and(|length| path[..length].starts_with(folder))
}

/// What the disk does at the moment; read by bare system calls, as the usual ones end here again.
fn fault() -> Fault {
    let Some(file) = variable(c"RAPPORT_FAULT") else { return Fault::None };
    let mut text = [0_u8; 16];
    // SAFETY: the name comes from the environment and ends with a NUL; the buffer outlives the calls.
    let length = unsafe {
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, file.as_ptr(), libc::O_RDONLY);
        if fd < 0 {
            return Fault::None;
        }
        let length = libc::syscall(libc::SYS_read, fd, text.as_mut_ptr(), text.len());
        libc::syscall(libc::SYS_close, fd);
        length
    };
    match usize::try_from(length).map(|length| &text[..length]) {
        Ok(b"full") => Fault::Full,
        Ok(b"io") => Fault::Io,
        Ok(b"readonly") => Fault::ReadOnly,
        _ => Fault::None,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Full,
    Io,
    ReadOnly,
}

fn fail(error: c_int) -> isize {
    // SAFETY: the place of this thread's errno.
    unsafe { *libc::__errno_location() = error };
    -1
}

/// Counts a write to one of our files, ends the process at the one that was named, and says how it fails if it does.
fn before_write(fd: c_int) -> Option<c_int> {
    if !is_ours(fd) {
        return None;
    }
    let number = WRITES.fetch_add(1, Ordering::SeqCst) + 1;
    let last = variable(c"RAPPORT_FAULT_KILL").and_then(|n| std::str::from_utf8(n).ok()?.parse::<u64>().ok());
    if last == Some(number) {
        // SAFETY: this ends the process, as pulling the plug would.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
    match fault() {
        Fault::Full => Some(libc::ENOSPC),
        Fault::ReadOnly => Some(libc::EROFS),
        Fault::None | Fault::Io => None,
    }
}

/// The function of this name that would have been called.
macro_rules! real {
    ($name:literal as $type:ty) => {{
        static REAL: OnceLock<usize> = OnceLock::new();
        // SAFETY: the name is one of the C library's, with this signature.
        let address = *REAL.get_or_init(|| unsafe { libc::dlsym(libc::RTLD_NEXT, $name.as_ptr()) as usize });
        // SAFETY: as above.
        unsafe { std::mem::transmute::<usize, $type>(address) }
    }};
}

type Write = unsafe extern "C" fn(c_int, *const c_void, usize) -> isize;
type PWrite = unsafe extern "C" fn(c_int, *const c_void, usize, i64) -> isize;
type Sync = unsafe extern "C" fn(c_int) -> c_int;
type Truncate = unsafe extern "C" fn(c_int, i64) -> c_int;
type Open = unsafe extern "C" fn(*const c_char, c_int, libc::mode_t) -> c_int;

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, count: usize) -> isize {
    match before_write(fd) {
        Some(error) => fail(error),
        None => {
            let real = real!(c"write" as Write);
            // SAFETY: handed on as it came.
            unsafe { real(fd, bytes, count) }
        }
    }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, bytes: *const c_void, count: usize, at: i64) -> isize {
    match before_write(fd) {
        Some(error) => fail(error),
        None => {
            let real = real!(c"pwrite64" as PWrite);
            // SAFETY: handed on as it came.
            unsafe { real(fd, bytes, count, at) }
        }
    }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(fd: c_int, bytes: *const c_void, count: usize, at: i64) -> isize {
    // SAFETY: handed on as it came.
    unsafe { pwrite64(fd, bytes, count, at) }
}

fn sync_fails(fd: c_int) -> bool {
    is_ours(fd) && fault() == Fault::Io
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    if sync_fails(fd) {
        return fail(libc::EIO) as c_int;
    }
    let real = real!(c"fsync" as Sync);
    // SAFETY: handed on as it came.
    unsafe { real(fd) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    if sync_fails(fd) {
        return fail(libc::EIO) as c_int;
    }
    let real = real!(c"fdatasync" as Sync);
    // SAFETY: handed on as it came.
    unsafe { real(fd) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: i64) -> c_int {
    if is_ours(fd) && fault() == Fault::ReadOnly {
        return fail(libc::EROFS) as c_int;
    }
    let real = real!(c"ftruncate64" as Truncate);
    // SAFETY: handed on as it came.
    unsafe { real(fd, length) }
}

fn may_open(path: *const c_char, flags: c_int) -> bool {
    let writes = flags & (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT) != 0;
    // SAFETY: callers hand over a path.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    let ours = variable(c"RAPPORT_FAULT_DIR").is_some_and(|folder| path.starts_with(folder));
    !(writes && ours && fault() == Fault::ReadOnly)
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    if !may_open(path, flags) {
        return fail(libc::EROFS) as c_int;
    }
    let real = real!(c"open64" as Open);
    // SAFETY: handed on as it came.
    unsafe { real(path, flags, mode) }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: libc::mode_t) -> c_int {
    if !may_open(path, flags) {
        return fail(libc::EROFS) as c_int;
    }
    let real = real!(c"open" as Open);
    // SAFETY: handed on as it came.
    unsafe { real(path, flags, mode) }
}

/// Tells how often our files were written to.
extern "C" fn tell() {
    if variable(c"RAPPORT_FAULT_COUNT").is_some() {
        let line = format!("writes: {}\n", WRITES.load(Ordering::SeqCst));
        // SAFETY: the line outlives the call.
        unsafe { libc::syscall(libc::SYS_write, 2, line.as_ptr(), line.len()) };
    }
}

#[unsafe(link_section = ".fini_array")]
#[used]
static AT_END: extern "C" fn() = tell;

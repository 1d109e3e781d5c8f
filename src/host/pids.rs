//! Asks the kernel for processes by their number, past every listing of them.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::syscall;

/// Whether anything has this number: a process or a thread of one (kill(2) with signal 0, which sends nothing).
#[must_use]
pub fn answers(pid: i32) -> bool {
    // 0 and -1 mean groups of processes.
    pid > 0 && kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH)
}

/// Whether a process has this number, no further thread of one; `None` where the kernel cannot be asked (before Linux 5.3).
#[must_use]
pub fn is_process(pid: i32) -> Option<bool> {
    match syscall::pidfd(pid) {
        Ok(_) => Some(true),
        Err(Errno::ENOSYS | Errno::EPERM | Errno::EMFILE | Errno::ENFILE) => None,
        Err(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_answer_and_threads_are_none() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(answers(own) && is_process(own) == Some(true));
        assert!(!answers(0) && !answers(-1) && !answers(i32::MAX) && is_process(i32::MAX) == Some(false));
        let thread = std::thread::spawn(|| nix::unistd::gettid().as_raw());
        // Its number is free once it has ended; while it lives it is no process.
        let (send, receive) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let other = std::thread::spawn(move || {
            send.send(nix::unistd::gettid().as_raw()).unwrap();
            let _ = ended.recv();
        });
        let tid = receive.recv().unwrap();
        assert!(answers(tid) && is_process(tid) == Some(false));
        drop(end);
        other.join().unwrap();
        thread.join().unwrap();
    }
}

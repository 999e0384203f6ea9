/*
 * A program that tries to get out of where it was started: a scanner that was replaced.
 *
 *   hostile tries VICTIM OUTSIDE INPUT   tries everything, and says a line for each try
 *   hostile fork | memory | processes | disk | file | daemon
 *   gitleaks ...                         (by that name) tries everything with what it finds, and says the result
 *
 * VICTIM is another process of whoever started it, OUTSIDE a folder that is not its business, INPUT a folder that it may read,
 * both with the files of hostile.rs. It works in a folder that it may write. Each try is a process of its
 * own. "got out" is said of what had an effect, not of what claimed to have one.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <libgen.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/vm_sockets.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/fsuid.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static pid_t victim;
static char outside[4096], input[4096], self[4096];

/* A path in a folder. */
static char *in(const char *folder, const char *name) {
  static char path[4][8300];
  static int next;
  next = (next + 1) % 4;
  snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
  return path[next];
}
static char *out(const char *name) { return in(outside, name); }
static char *of_victim(const char *name) {
  char folder[64];
  snprintf(folder, sizeof folder, "/proc/%d", victim);
  return in(folder, name);
}

/* 0 if a call came back with something. */
static int worked(long result) { return result < 0 ? -1 : 0; }
static int can_open(const char *path, int flags) { return worked(open(path, flags, 0666)); }
static int can_read(const char *path) {
  char byte;
  int file = open(path, O_RDONLY);
  return file < 0 ? -1 : worked(read(file, &byte, 1));
}
static int can_make(const char *path) {
  int result = can_open(path, O_WRONLY | O_CREAT | O_EXCL);
  if (result == 0) unlink(path);
  return result;
}
static int can_make_in(const char *folder) {
  char name[32];
  snprintf(name, sizeof name, "hostile-%d", getpid());
  return can_make(in(folder, name));
}
static int can_list(const char *path) {
  DIR *folder = opendir(path);
  return folder && readdir(folder) ? 0 : -1;
}
static int can_run(const char *path) {
  pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    char *arguments[] = {(char *)path, "-c", "exit 77", NULL};
    execv(path, arguments);
    _exit(errno);
  }
  int status;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return 0;
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
  return -1;
}
static int has_socket(int family, int type, int protocol) { return worked(socket(family, type, protocol)); }
static int a_pipe(void) {
  int ends[2];
  return pipe(ends) ? -1 : ends[0];
}
static void put(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  if (write(file, text, strlen(text)) < 0) _exit(99);
  close(file);
}
static int same_mode(const char *path, mode_t mode) {
  struct stat is;
  if (stat(path, &is)) return -1;
  errno = EPERM;
  return (is.st_mode & 07777) == mode ? 0 : -1;
}

/* ---- network and sockets ---- */
static int tcp4(void) { return has_socket(AF_INET, SOCK_STREAM, 0); }
static int tcp6(void) { return has_socket(AF_INET6, SOCK_STREAM, 0); }
static int udp4(void) { return has_socket(AF_INET, SOCK_DGRAM, 0); }
static int icmp(void) { return has_socket(AF_INET, SOCK_RAW, 1); }
static int mptcp(void) { return has_socket(AF_INET, SOCK_STREAM, 262); }
static int packet(void) { return has_socket(AF_PACKET, SOCK_RAW, 0); }
static int netlink(void) { return has_socket(AF_NETLINK, SOCK_RAW, 0); }
static int vsock(void) { return has_socket(AF_VSOCK, SOCK_STREAM, 0); }
static int crypto(void) { return has_socket(AF_ALG, SOCK_SEQPACKET, 0); }
static int unix_stream(void) { return has_socket(AF_UNIX, SOCK_STREAM, 0); }
static int unix_pair(void) {
  int ends[2];
  return socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}
static int unix_abstract(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0hostile"};
  return bind(socket(AF_UNIX, SOCK_DGRAM, 0), (void *)&name, sizeof name);
}
static int docker_socket(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/var/run/docker.sock"};
  return connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name);
}
static int listening_socket(void) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  snprintf(name.sun_path, sizeof name.sun_path, "socket");
  return bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name);
}
static int io_uring(void) {
  char parameters[120] = {0};
  return worked(syscall(SYS_io_uring_setup, 1, parameters));
}

/* ---- other processes ---- */
static int sends_signal(void) { return kill(victim, SIGCONT); }
static int sends_signal_to_group(void) { return killpg(victim, SIGCONT); }
static int sends_signal_to_thread(void) { return worked(syscall(SYS_tgkill, victim, victim, SIGCONT)); }
static int sends_signal_to_thread_alone(void) { return worked(syscall(SYS_tkill, victim, SIGCONT)); }
static int queues_signal(void) {
  siginfo_t signal = {.si_signo = SIGCONT, .si_code = SI_QUEUE};
  return worked(syscall(SYS_rt_sigqueueinfo, victim, SIGCONT, &signal));
}
static int opens_pidfd(void) { return worked(syscall(SYS_pidfd_open, victim, 0)); }
static int signals_pidfd(void) {
  return worked(syscall(SYS_pidfd_send_signal, open(of_victim(""), O_RDONLY | O_DIRECTORY), SIGCONT, NULL, 0));
}
static int takes_descriptor(void) { return worked(syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, victim, 0), 0, 0)); }
static int seizes(void) { return worked(ptrace(PTRACE_SEIZE, victim, 0, 0)); }
static int reads_memory(void) {
  char byte;
  struct iovec here = {&byte, 1}, there = {(void *)environ[0], 1};
  /* Its addresses are not ours: that they are wrong is said only to who may look. */
  return process_vm_readv(victim, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT ? 0 : -1;
}
static int writes_memory(void) {
  char byte = 0;
  struct iovec here = {&byte, 1}, there = {(void *)16, 1};
  return process_vm_writev(victim, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT ? 0 : -1;
}
static int sets_limit(void) {
  struct rlimit limit;
  return prlimit(victim, RLIMIT_CORE, NULL, &limit) ? -1 : prlimit(victim, RLIMIT_CORE, &limit, NULL);
}
static int reads_limit(void) {
  struct rlimit limit;
  return prlimit(victim, RLIMIT_CORE, NULL, &limit);
}
static int sets_processors(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(0, &set);
  return sched_setaffinity(victim, sizeof set, &set);
}
static int reads_processors(void) {
  cpu_set_t set;
  return sched_getaffinity(victim, sizeof set, &set);
}
static int sets_priority(void) { return setpriority(PRIO_PROCESS, victim, 19); }
static int sets_io_priority(void) { return worked(syscall(SYS_ioprio_set, 1, victim, 3 << 13)); }
static int sets_scheduler(void) {
  struct sched_param none = {0};
  return sched_setscheduler(victim, SCHED_BATCH, &none);
}
static int owns_signals(void) { return fcntl(a_pipe(), F_SETOWN, victim); }
static int owns_signals_as_thread(void) {
  struct f_owner_ex owner = {F_OWNER_TID, victim};
  return fcntl(a_pipe(), F_SETOWN_EX, &owner);
}
static int chooses_signal(void) { return fcntl(a_pipe(), F_SETSIG, SIGKILL); }
static int leases(void) {
  put("lease", "");
  return fcntl(open("lease", O_RDONLY), F_SETLEASE, F_RDLCK);
}
static int watches_folder(void) { return fcntl(open(".", O_RDONLY), F_NOTIFY, DN_CREATE); }
static int compares(void) { return worked(syscall(SYS_kcmp, getpid(), victim, 0, 0, 0)); }
static int moves_pages(void) { return worked(syscall(SYS_move_pages, victim, 0, NULL, NULL, NULL, 0)); }
static int robust_list(void) {
  void *head;
  size_t length;
  return worked(syscall(SYS_get_robust_list, victim, &head, &length));
}
static int proc_environ(void) { return can_read(of_victim("environ")); }
static int proc_cmdline(void) { return can_read(of_victim("cmdline")); }
static int proc_maps(void) { return can_read(of_victim("maps")); }
static int proc_mem(void) { return can_open(of_victim("mem"), O_RDWR); }
static int proc_fd(void) { return can_list(of_victim("fd")); }
static int proc_root(void) { return can_list(of_victim("root")); }
static int proc_cwd(void) { return can_list(of_victim("cwd")); }
static int proc_ns(void) { return can_open(of_victim("ns/net"), O_RDONLY); }
static int proc_oom(void) { return can_open(of_victim("oom_score_adj"), O_WRONLY); }
static int proc_list(void) { return can_list("/proc"); }
static int proc_self(void) { return can_read("/proc/self/environ"); }
static int proc_sys(void) { return can_read("/proc/sys/kernel/hostname"); }

/* ---- files ---- */
static int reads_outside(void) { return can_read(out("secret")); }
static int reads_by_relative_path(void) {
  if (chdir(outside)) return -1;
  return can_read("secret");
}
static int reads_by_own_root(void) { return can_read(in("/proc/self/root", out("secret") + 1)); }
static int reads_docker_config(void) { return can_read(out("docker/config.json")); }
static int reads_by_handle(void) {
  struct { struct file_handle head; char bytes[128]; } handle = {.head = {.handle_bytes = 128}};
  int mount;
  if (name_to_handle_at(AT_FDCWD, out("secret"), &handle.head, &mount, 0)) return -1;
  return worked(open_by_handle_at(open(".", O_RDONLY), &handle.head, O_RDONLY));
}
static int lists_outside(void) { return can_list(outside); }
static int lists_root(void) { return can_list("/"); }
static int reads_passwd(void) { return can_read("/etc/passwd"); }
static int reads_hosts_certificates(void) { return can_list("/etc/ssl"); }
static int appends_to_command_file(void) {
  int file = open(out("github_output"), O_WRONLY | O_APPEND);
  return file < 0 ? -1 : worked(write(file, "x", 1));
}
static int reads_command_file(void) { return can_open(out("github_output"), O_RDONLY); }
static int writes_outside(void) { return can_make_in(outside); }
static int makes_nameless_file_outside(void) { return can_open(outside, O_TMPFILE | O_RDWR); }
static int makes_folder_outside(void) { return mkdir(out("folder"), 0777); }
static int removes_outside(void) { return unlink(out("removable")); }
static int removes_folder_outside(void) { return rmdir(out("empty")); }
static int writes_tmp(void) { return can_make_in("/tmp"); }
static int writes_shm(void) { return can_make_in("/dev/shm"); }
static int writes_var_tmp(void) { return can_make_in("/var/tmp"); }
static int moves_out(void) {
  put("moved", "");
  return rename("moved", out("moved"));
}
static int moves_in(void) { return rename(out("movable"), "movable"); }
static int exchanges(void) {
  put("exchanged", "");
  return worked(syscall(SYS_renameat2, AT_FDCWD, "exchanged", AT_FDCWD, out("exchangeable"), RENAME_EXCHANGE));
}
static int links_hard(void) { return link(out("secret"), "hard"); }
static int links_soft(void) { return symlink(out("secret"), "soft"); }
static int makes_pipe(void) { return mkfifo("pipe", 0666); }
static int makes_device(void) { return mknod("device", S_IFCHR | 0666, 1 << 8 | 3); }
static int makes_socket_file(void) { return mknod("node", S_IFSOCK | 0666, 0); }
static int truncates(void) { return truncate(out("long"), 0); }
static int empties_what_it_may_read(void) {
  struct stat is;
  open(in(input, "file"), O_RDONLY | O_TRUNC);
  if (stat(in(input, "file"), &is)) return -1;
  errno = EPERM;
  return is.st_size ? -1 : 0;
}
static int writes_what_it_may_read(void) { return can_open(in(input, "file"), O_WRONLY); }
static int adds_to_what_it_may_read(void) { return can_make_in(input); }
static int removes_what_it_may_read(void) { return unlink(in(input, "removable")); }
static int changes_mode(void) { return chmod(out("mode"), 0711) ? -1 : same_mode(out("mode"), 0711); }
static int changes_mode_by_descriptor(void) {
  int file = open(out("mode"), O_RDONLY);
  return file < 0 || fchmod(file, 0710) ? -1 : same_mode(out("mode"), 0710);
}
static int changes_mode_of_input(void) { return chmod(in(input, "mode"), 0701) ? -1 : same_mode(in(input, "mode"), 0701); }
static int makes_setuid(void) { put("setuid", ""); return chmod("setuid", 04755) ? -1 : same_mode("setuid", 04755); }
static int changes_owner(void) { return chown(out("owner"), getuid(), getgid()); }
static int changes_times(void) {
  struct timespec times[2] = {{1, 0}, {1, 0}};
  return utimensat(AT_FDCWD, out("secret"), times, 0);
}
static int sets_attribute(void) { return setxattr(out("secret"), "user.hostile", "x", 1, 0); }
static int reads_attribute(void) {
  char value[64];
  return worked(listxattr(out("secret"), value, sizeof value));
}
static int sets_flags(void) {
  int flags = FS_NODUMP_FL, file = open("flags", O_RDWR | O_CREAT, 0644);
  return ioctl(file, FS_IOC_SETFLAGS, &flags);
}
static int runs_shell(void) { return can_run("/bin/sh"); }
static int runs_copy(void) {
  char block[65536];
  ssize_t count;
  int from = open("/bin/sh", O_RDONLY), to = open("copy", O_WRONLY | O_CREAT, 0755);
  if (from < 0) from = open(self, O_RDONLY);
  while ((count = read(from, block, sizeof block)) > 0)
    if (write(to, block, count) != count) return -1;
  close(to);
  chmod("copy", 0755);
  return can_run("./copy");
}
static int runs_by_loader(void) {
  char *arguments[] = {"/lib64/ld-linux-x86-64.so.2", "/bin/sh", "-c", "exit 77", NULL};
  pid_t child = fork();
  if (child == 0) {
    execv(arguments[0], arguments);
    _exit(errno);
  }
  int status;
  waitpid(child, &status, 0);
  errno = EACCES;
  return WIFEXITED(status) && WEXITSTATUS(status) == 77 ? 0 : -1;
}
static int makes_memory_file(void) { return worked(syscall(SYS_memfd_create, "hostile", 0)); }
static int runs_descriptor(void) {
  char *none[] = {"sh", NULL};
  int file = open("/bin/sh", O_PATH);
  if (fork() == 0) {
    dup2(open("/dev/null", O_RDWR), 0);
    syscall(SYS_execveat, file, "", none, none, AT_EMPTY_PATH);
    _exit(errno);
  }
  int status;
  wait(&status);
  errno = WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EACCES;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
/* While it runs, nobody may: but for that, its folder is where it could put another. */
static int writes_itself(void) { return can_open(self, O_WRONLY); }
static int replaces_itself(void) {
  char beside[4200];
  snprintf(beside, sizeof beside, "%s.new", self);
  return can_make(beside);
}
static int opens_terminal(void) { return can_open("/dev/ptmx", O_RDWR); }
static int opens_memory_device(void) { return can_open("/dev/kmsg", O_RDONLY); }
static int opens_disk(void) { return can_list("/dev"); }
static int opens_fuse(void) { return can_open("/dev/fuse", O_RDWR); }
static int reads_sys(void) { return can_list("/sys/class/net"); }
static int types(void) {
  char key = 'x';
  /* A terminal is not there, and is asked for first: what is refused is the call itself. */
  int result = ioctl(0, TIOCSTI, &key);
  return result == 0 || errno == ENOTTY || errno == EIO ? 0 : -1;
}
static int inherits_descriptors(void) {
  errno = EBADF;
  for (int descriptor = 3; descriptor < 1024; descriptor++)
    if (fcntl(descriptor, F_GETFD) >= 0) return 0;
  errno = EBADF;
  return -1;
}
static int has_credentials(void) {
  errno = ENOENT;
  for (char **variable = environ; *variable; variable++)
    if (!strncmp(*variable, "SECRET", 6) || !strncmp(*variable, "GITHUB_", 7) || !strncmp(*variable, "ACTIONS_", 8) ||
        !strncmp(*variable, "INPUT_", 6) || !strncmp(*variable, "AWS_", 4) || !strncmp(*variable, "DOCKER_", 7))
      return 0;
  return -1;
}

/* ---- the kernel ---- */
static int user_namespace(void) { return unshare(CLONE_NEWUSER); }
static int network_namespace(void) { return unshare(CLONE_NEWNET); }
static int mount_namespace(void) { return unshare(CLONE_NEWNS); }
static int clones(int flags) {
  long child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return worked(child);
}
static int clones_user_namespace(void) { return clones(CLONE_NEWUSER); }
static int clones_pid_namespace(void) { return clones(CLONE_NEWPID); }
static int clones_as_sibling(void) {
  long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit(0);
  return worked(child);
}
static int clones_anew(void) {
  uint64_t arguments[8] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
  long child = syscall(SYS_clone3, arguments, sizeof arguments);
  if (child == 0) _exit(0);
  return worked(child);
}
static int enters_namespace(void) { return setns(open("/proc/1/ns/net", O_RDONLY), 0); }
static int mounts(void) { return mount("none", ".", "tmpfs", 0, ""); }
static int opens_file_system(void) { return worked(syscall(SYS_fsopen, "tmpfs", 0)); }
static int opens_tree(void) { return worked(syscall(SYS_open_tree, AT_FDCWD, "/", 0)); }
static int changes_root(void) { return chroot("."); }
static int pivots(void) { return worked(syscall(SYS_pivot_root, ".", ".")); }
static int bpf(void) {
  uint32_t attributes[32] = {2, 4, 4, 1};
  return worked(syscall(SYS_bpf, 0, attributes, sizeof attributes));
}
static int perf(void) {
  struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .exclude_kernel = 1, .exclude_hv = 1};
  return worked(syscall(SYS_perf_event_open, &event, victim, -1, -1, 0));
}
static int userfault(void) { return worked(syscall(SYS_userfaultfd, 1)); }
static int keys(void) { return worked(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1)); }
static int adds_key(void) { return worked(syscall(SYS_add_key, "user", "hostile", "x", 1, KEY_SPEC_PROCESS_KEYRING)); }
static int requests_key(void) {
  long result = syscall(SYS_request_key, "user", "hostile", NULL, 0);
  return result >= 0 || errno == ENOKEY ? 0 : -1;
}
static int watches_files(void) { return worked(inotify_init1(0)); }
static int watches_all_files(void) { return worked(fanotify_init(FAN_CLASS_NOTIF, O_RDONLY)); }
static int changes_personality(void) { return worked(personality(ADDR_NO_RANDOMIZE)); }
static int shares_memory(void) {
  int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  if (id >= 0) shmctl(id, IPC_RMID, NULL);
  return worked(id);
}
static int queues_messages(void) {
  int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
  if (id >= 0) msgctl(id, IPC_RMID, NULL);
  return worked(id);
}
static int has_semaphores(void) {
  int id = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
  if (id >= 0) semctl(id, 0, IPC_RMID);
  return worked(id);
}
static int opens_queue(void) {
  int queue = mq_open("/hostile", O_CREAT | O_RDWR, 0600, NULL);
  if (queue >= 0) mq_unlink("/hostile");
  return worked(queue);
}
static int becomes_root(void) { return setresuid(0, 0, 0); }
static int changes_groups(void) { return setgroups(0, NULL); }
static int keeps_capabilities(void) { return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0); }
static int becomes_dumpable(void) { return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }
static int lets_be_traced(void) { return prctl(PR_SET_PTRACER, -1, 0, 0, 0); }
static int becomes_reaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }
static int outlives_parent(void) { return prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0); }
static int listens_to_calls(void) { return worked(syscall(SYS_seccomp, 2, 0, NULL)); }
static int reads_kernel_log(void) {
  char text[64];
  return worked(syscall(SYS_syslog, 3, text, sizeof text));
}
static int leaves_session(void) {
  if (fork() == 0) _exit(setsid() < 0 ? errno : 0);
  int status;
  wait(&status);
  errno = WIFEXITED(status) ? WEXITSTATUS(status) : EFAULT;
  return errno ? -1 : 0;
}
static int locks_memory(void) { return mlockall(MCL_FUTURE); }
static int sets_host_name(void) {
  char name[256] = "";
  gethostname(name, sizeof name);
  return sethostname(name, strlen(name));
}
static int sets_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return clock_settime(CLOCK_REALTIME, &now);
}
static int reboots(void) { return worked(syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0)); }
static int accounts(void) { return acct(NULL); }
static int swaps(void) { return worked(syscall(SYS_swapoff, "nowhere")); }
static int loads_module(void) { return worked(syscall(SYS_init_module, "", 0, "")); }
#ifdef __x86_64__
static int x32_socket(void) { return worked(syscall(0x40000000 | SYS_socket, AF_INET, SOCK_STREAM, 0)); }
static int ia32_getpid(void) {
  long result = 20;
  __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return worked(result);
}
static int ia32_socket(void) {
  long result = 359;
  __asm__ volatile("int $0x80" : "+a"(result) : "b"(AF_INET), "c"(SOCK_STREAM), "d"(0) : "memory", "r8", "r9", "r10", "r11");
  return worked(result);
}
static int ports(void) { return worked(syscall(SYS_iopl, 3)); }
#endif

/* What would harm the machine, and is tried in the sandbox alone. */
#define HARMS 1

static const struct {
  const char *name;
  int (*run)(void);
  int harms;
} TRIES[] = {
#define TRY(run) {#run, run, 0}
#define HARMFUL(run) {#run, run, HARMS}
    TRY(tcp4), TRY(tcp6), TRY(udp4), TRY(icmp), TRY(mptcp), TRY(packet), TRY(netlink), TRY(vsock), TRY(crypto), TRY(unix_stream),
    TRY(unix_pair), TRY(unix_abstract), TRY(docker_socket), TRY(listening_socket), TRY(io_uring),
    TRY(sends_signal), TRY(sends_signal_to_group), TRY(sends_signal_to_thread), TRY(sends_signal_to_thread_alone),
    TRY(queues_signal), TRY(opens_pidfd), TRY(signals_pidfd), TRY(takes_descriptor), TRY(seizes), TRY(reads_memory),
    TRY(writes_memory), TRY(sets_limit), TRY(reads_limit), TRY(sets_processors), TRY(reads_processors), TRY(sets_priority),
    TRY(sets_io_priority), TRY(sets_scheduler), TRY(owns_signals), TRY(owns_signals_as_thread), TRY(chooses_signal), TRY(leases),
    TRY(watches_folder), TRY(compares), TRY(moves_pages), TRY(robust_list), TRY(proc_environ), TRY(proc_cmdline), TRY(proc_maps),
    TRY(proc_mem), TRY(proc_fd), TRY(proc_root), TRY(proc_cwd), TRY(proc_ns), TRY(proc_oom), TRY(proc_list), TRY(proc_self),
    TRY(proc_sys),
    TRY(reads_outside), TRY(reads_by_relative_path), TRY(reads_by_own_root), TRY(reads_docker_config), TRY(reads_by_handle),
    TRY(lists_outside), TRY(lists_root), TRY(reads_passwd), TRY(reads_hosts_certificates), TRY(appends_to_command_file),
    TRY(reads_command_file), TRY(writes_outside), TRY(makes_nameless_file_outside), TRY(makes_folder_outside),
    TRY(removes_outside), TRY(removes_folder_outside), TRY(writes_tmp), TRY(writes_shm), TRY(writes_var_tmp), TRY(moves_out),
    TRY(moves_in), TRY(exchanges), TRY(links_hard), TRY(links_soft), TRY(makes_pipe), TRY(makes_device), TRY(makes_socket_file),
    TRY(truncates), TRY(empties_what_it_may_read), TRY(writes_what_it_may_read), TRY(adds_to_what_it_may_read),
    TRY(removes_what_it_may_read), TRY(changes_mode), TRY(changes_mode_by_descriptor), TRY(changes_mode_of_input),
    TRY(makes_setuid), TRY(changes_owner), TRY(changes_times), TRY(sets_attribute), TRY(reads_attribute), TRY(sets_flags),
    TRY(runs_shell), TRY(runs_copy), TRY(runs_by_loader), TRY(makes_memory_file), TRY(runs_descriptor), TRY(writes_itself),
    TRY(replaces_itself), TRY(opens_terminal), TRY(opens_memory_device), TRY(opens_disk), TRY(opens_fuse), TRY(reads_sys),
    TRY(types), TRY(inherits_descriptors), TRY(has_credentials),
    TRY(user_namespace), TRY(network_namespace), TRY(mount_namespace), TRY(clones_user_namespace), TRY(clones_pid_namespace),
    TRY(clones_as_sibling), TRY(clones_anew), TRY(enters_namespace), HARMFUL(mounts), TRY(opens_file_system), TRY(opens_tree),
    TRY(changes_root), HARMFUL(pivots), TRY(bpf), TRY(perf), TRY(userfault), TRY(keys), TRY(adds_key), TRY(requests_key),
    TRY(watches_files), TRY(watches_all_files), TRY(changes_personality), TRY(shares_memory), TRY(queues_messages),
    TRY(has_semaphores), TRY(opens_queue), TRY(becomes_root), TRY(changes_groups), TRY(keeps_capabilities),
    TRY(becomes_dumpable), TRY(lets_be_traced), TRY(becomes_reaper), TRY(outlives_parent), TRY(listens_to_calls),
    TRY(reads_kernel_log), TRY(leaves_session), TRY(locks_memory), HARMFUL(sets_host_name), HARMFUL(sets_clock),
    HARMFUL(reboots), HARMFUL(accounts), HARMFUL(swaps), HARMFUL(loads_module),
#ifdef __x86_64__
    TRY(x32_socket), TRY(ia32_getpid), TRY(ia32_socket), TRY(ports),
#endif
};

/* How a try ended: 0 if it got out, an error's number, or 1000 and the signal that ended it. */
static int attempt(int (*run)(void)) {
  pid_t child = fork();
  if (child < 0) return errno;
  if (child == 0) {
    errno = 0;
    int result = run();
    _exit(result == 0 ? 0 : errno ? errno : 125);
  }
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return errno;
  return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int tries(int harmless, FILE *log) {
  int count = 0, escaped = 0;
  static char names[8192];
  for (size_t number = 0; number < sizeof TRIES / sizeof TRIES[0]; number++) {
    if (harmless && TRIES[number].harms) continue;
    int ended = attempt(TRIES[number].run);
    count++;
    if (ended == 0) {
      escaped++;
      strncat(names, " ", sizeof names - strlen(names) - 1);
      strncat(names, TRIES[number].name, sizeof names - strlen(names) - 1);
    }
    if (log && ended == 0) fprintf(log, "try %s: got out\n", TRIES[number].name);
    if (log && ended >= 1000) fprintf(log, "try %s: ended by signal %d\n", TRIES[number].name, ended - 1000);
    if (log && ended > 0 && ended < 1000) fprintf(log, "try %s: %s\n", TRIES[number].name, strerror(ended));
  }
  fprintf(log ? log : stderr, "escapes: %d tries, %d got out:%s\n", count, escaped, names);
  return escaped;
}

static void fork_bomb(void) {
  for (;;)
    if (fork() < 0) sched_yield();
}
static void eat(size_t most) {
  for (size_t taken = 0; taken < most; taken += 1 << 20) {
    char *block = malloc(1 << 20);
    if (!block) exit(12);
    memset(block, 1, 1 << 20);
  }
}
static void eat_disk(int one_file) {
  static char block[1 << 20];
  memset(block, 1, sizeof block);
  signal(SIGXFSZ, one_file ? SIG_DFL : SIG_IGN);
  for (int number = 0;; number++) {
    char name[32];
    snprintf(name, sizeof name, "flood%d", one_file ? 0 : number);
    int file = open(name, O_WRONLY | O_CREAT | O_APPEND, 0644);
    for (int blocks = 0; blocks < 4; blocks++)
      if (write(file, block, sizeof block) < 0 && one_file) exit(27);
    close(file);
  }
}

int main(int argc, char **argv) {
  const char *name = basename(strdup(argv[0]));
  if (!realpath(argv[0], self)) snprintf(self, sizeof self, "%s", argv[0]);
  if (!strcmp(name, "gitleaks")) {
    victim = getppid();
    /* Where the runner's files are in a container, and where the tests put them elsewhere: beside this program. */
    if (access("/github/workspace", F_OK))
      snprintf(outside, sizeof outside, "%s/outside", dirname(strdup(self)));
    else
      snprintf(outside, sizeof outside, "/github/workspace");
    for (int number = 1; number + 1 < argc; number++)
      if (!strcmp(argv[number], "--config")) {
        snprintf(input, sizeof input, "%s", argv[number + 1]);
        if (chdir(dirname(input))) return 98;
        snprintf(input, sizeof input, "%s", "../empty");
      }
    return tries(0, NULL) ? 42 : 41;
  }
  const char *mode = argc > 1 ? argv[1] : "";
  if ((!strcmp(mode, "tries") || !strcmp(mode, "harmless")) && argc == 5) {
    victim = atoi(argv[2]);
    snprintf(outside, sizeof outside, "%s", argv[3]);
    snprintf(input, sizeof input, "%s", argv[4]);
    return tries(!strcmp(mode, "harmless"), stdout) ? 42 : 41;
  }
  if (!strcmp(mode, "fork")) fork_bomb();
  if (!strcmp(mode, "memory")) eat((size_t)1 << 40);
  if (!strcmp(mode, "processes")) {
    for (int number = 0; number < 16; number++)
      if (fork() == 0) {
        eat((size_t)40 << 20);
        for (;;) pause();
      }
    for (;;) pause();
  }
  if (!strcmp(mode, "disk")) eat_disk(0);
  if (!strcmp(mode, "file")) eat_disk(1);
  if (!strcmp(mode, "daemon")) {
    if (fork() == 0) {
      setsid();
      if (fork() == 0)
        for (;;) sleep(1000);
      _exit(0);
    }
    wait(NULL);
    return 7;
  }
  return 97;
}

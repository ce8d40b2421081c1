/* Loaded before a program's C library: what the program takes for the time of day, or for the time since the machine
   started with its sleep, is ahead or behind by what stands in the file that RINGFENCE_CLOCK names. Nobody
   else's clock is touched. Deadlines that the program gives to the kernel are put back, so that who waits for a second
   waits for a second. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Seconds: of the wall clock, and of the time since the machine started. */
static const volatile int64_t *ahead;

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("RINGFENCE_CLOCK");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

	if (file < 0)
		return;
	ahead = mmap(NULL, 2 * sizeof *ahead, PROT_READ, MAP_SHARED, file, 0);
	if (ahead == MAP_FAILED)
		ahead = NULL;
	close(file);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	long code = syscall(SYS_clock_gettime, clock, now);

	if (code || !ahead)
		return code;
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_TAI:
		now->tv_sec += ahead[0];
		break;
	case CLOCK_BOOTTIME:
		now->tv_sec += ahead[1];
	}
	return 0;
}

int gettimeofday(struct timeval *now, void *zone)
{
	struct timespec exact;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &exact);
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *where)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (where)
		*where = now.tv_sec;
	return now.tv_sec;
}

/* A moment as the kernel's clock has it. */
static struct timespec put_back(const struct timespec *moment, int clock)
{
	struct timespec back = *moment;

	if (ahead && clock == CLOCK_REALTIME)
		back.tv_sec -= ahead[0];
	if (ahead && clock == CLOCK_BOOTTIME)
		back.tv_sec -= ahead[1];
	if (back.tv_sec < 0)
		back = (struct timespec){0, 1};
	return back;
}

/* A condition doesn't tell which clock it goes by; no machine has been up for thirty years. */
static int clock_of(const struct timespec *moment)
{
	return moment->tv_sec > 1000000000 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end)
{
	int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *) =
		dlsym(RTLD_NEXT, "pthread_cond_timedwait");
	struct timespec back = put_back(end, clock_of(end));

	return next(condition, mutex, &back);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *end)
{
	int (*next)(sem_t *, const struct timespec *) = dlsym(RTLD_NEXT, "sem_timedwait");
	struct timespec back = put_back(end, CLOCK_REALTIME);

	return next(semaphore, &back);
}

enum { DESCRIPTORS = 65536 };
static signed char clocks[DESCRIPTORS];

int timerfd_create(clockid_t clock, int flags)
{
	int timer = syscall(SYS_timerfd_create, clock, flags);

	if (timer >= 0 && timer < DESCRIPTORS)
		clocks[timer] = clock;
	return timer;
}

int timerfd_settime(int timer, int flags, const struct itimerspec *when, struct itimerspec *before)
{
	struct itimerspec back = *when;
	int is_armed = when->it_value.tv_sec || when->it_value.tv_nsec;

	if ((flags & TFD_TIMER_ABSTIME) && is_armed && timer >= 0 && timer < DESCRIPTORS)
		back.it_value = put_back(&when->it_value, clocks[timer]);
	return syscall(SYS_timerfd_settime, timer, flags, &back, before);
}

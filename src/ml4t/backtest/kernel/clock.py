"""The one clock: the next instant, and the queue of timers (docs/semantics/time.md)."""

from ml4t.backtest._jit import INT, VOID, function, inline
from ml4t.backtest.inputs import I4, I8
from ml4t.backtest.tables import NEVER, NEXT, TIMERS, UNCHECKED, State, Timers

# kinds of timers, in the order in which they are due within an instant
DECISION_TIMER, EXPIRY_TIMER = 0, 1


@inline
def is_earlier(timers: Timers, i: int, j: int) -> bool:
    """Whether timer i is due before timer j: time, kind, number."""
    if timers.time[i] != timers.time[j]:
        return timers.time[i] < timers.time[j]
    if timers.kind[i] != timers.kind[j]:
        return timers.kind[i] < timers.kind[j]
    return timers.number[i] < timers.number[j]


@inline
def swap(timers: Timers, i: int, j: int) -> None:
    """Timers i and j have changed places."""
    timers.time[i], timers.time[j] = timers.time[j], timers.time[i]
    timers.kind[i], timers.kind[j] = timers.kind[j], timers.kind[i]
    timers.number[i], timers.number[j] = timers.number[j], timers.number[i]


@function(VOID, INT, INT, INT)
def push_timer(state: State, time: int, kind: int, number: int) -> None:
    """The timer is in the queue."""
    timers, i = state.timers, state.clock[TIMERS]
    state.clock[TIMERS] = i + 1
    state.clock[UNCHECKED] = 1
    timers.time[i] = time
    timers.kind[i] = kind
    timers.number[i] = number
    while i > 0 and is_earlier(timers, i, (i - 1) // 2):
        swap(timers, i, (i - 1) // 2)
        i = (i - 1) // 2


@function(INT)
def pop_timer(state: State) -> int:
    """The first timer has left the queue; its number."""
    timers = state.timers
    n = state.clock[TIMERS] - 1
    state.clock[TIMERS] = n
    number = timers.number[0]
    swap(timers, 0, n)
    i = 0
    while True:
        child = 2 * i + 1
        if child >= n:
            return number
        if child + 1 < n and is_earlier(timers, child + 1, child):
            child += 1
        if not is_earlier(timers, child, i):
            return number
        swap(timers, i, child)
        i = child


@inline
def is_timer_due(state: State, now: int, kind: int) -> bool:
    """Whether the first timer is due and of this kind."""
    timers = state.timers
    return state.clock[TIMERS] > 0 and timers.time[0] <= now and timers.kind[0] == kind


@inline
def timer_time(state: State) -> int:
    """When the next timer is due, NEVER where there is none."""
    return state.timers.time[0] if state.clock[TIMERS] > 0 else NEVER


@inline
def timeline_time(state: State) -> int:
    """The next instant of the timeline, NEVER after the last."""
    k = state.clock[NEXT]
    return state.timeline.time[k] if k < state.timeline.time.shape[0] else NEVER


@inline
def merge(ends: I8, starts: I8, arrivals: I8, time: I8, end_first: I4, start_first: I4, information_first: I4) -> int:
    """The number of instants in three sorted streams; `time` and the offsets of `tables.Timeline` are filled as far."""
    i, j, m, count = 0, 0, 0, 0
    while True:
        end_first[count] = i
        start_first[count] = j
        information_first[count] = m
        now = NEVER
        if i < ends.shape[0]:
            now = ends[i]
        if j < starts.shape[0]:
            now = min(now, starts[j])
        if m < arrivals.shape[0]:
            now = min(now, arrivals[m])
        if now == NEVER:
            return count
        while i < ends.shape[0] and ends[i] == now:
            i += 1
        while j < starts.shape[0] and starts[j] == now:
            j += 1
        while m < arrivals.shape[0] and arrivals[m] == now:
            m += 1
        time[count] = now
        count += 1

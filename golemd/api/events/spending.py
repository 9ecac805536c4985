"""What is spent, and who has nothing left to spend."""

from golemd.api.records import Event


class BudgetSpent(Event, frozen=True, kw_only=True):
    """What an attempt has cost, as its program says. `input_tokens` holds all that was read, cached or not."""

    TYPE = "budget.spent"
    attempt: str
    agent: str
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0


class BudgetRaised(Event, frozen=True, kw_only=True):
    """A human raised what may be spent, by `usd` or `tokens`, to `limit`. `scope` is the budget's key in golem.toml."""

    TYPE = "budget.raised"
    gate: str
    scope: str
    limit: float
    run: str = ""
    phase: str = ""
    usd: float = 0.0
    tokens: int = 0


class ProviderParked(Event, frozen=True, kw_only=True):
    """The account behind an agent is used up for now: its attempts wait until then, others go on."""

    TYPE = "provider.parked"
    provider: str
    until_us: int
    streak: int
    reason: str = ""


class ProviderAvailable(Event, frozen=True, kw_only=True):
    TYPE = "provider.available"
    provider: str

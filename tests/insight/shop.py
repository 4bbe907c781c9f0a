"""Made-up shoppers, seeded."""

from __future__ import annotations

import random  # noqa: TID251 - seeded

from engine.insight.trails import Trails

DAY = 86_400_000
NAMES = ("Product Viewed", "Product Searched", "Coupon Shown", "Page Viewed", "Review Read")
GOAL = "Order Completed"
START = 20_000 * DAY
DAYS = 40


def shoppers(seed: int, users: int, *, planted: float = 0.0, goal_rate: float = 0.1) -> Trails:
    """Each does things at random instants; whoever views three products orders more often.

    Args:
        seed: Of everything.
        users: How many.
        planted: By how much more probable the goal is within a day of the third view in a week.
        goal_rate: How often a day anybody comes to it, whatever he did.
    """
    random_ = random.Random(seed)
    trails = Trails()
    for number in range(users):
        user_id = f"user-{seed}-{number}"
        views: list[int] = []
        for name in NAMES:
            for _ in range(random_.randrange(0, 12)):
                at_ms = START + random_.randrange(DAYS * DAY)
                trails.add(user_id, name, at_ms)
                if name == NAMES[0]:
                    views.append(at_ms)
        for day in range(DAYS):
            if random_.random() < goal_rate:
                at_ms = START + day * DAY + random_.randrange(DAY)
                trails.add(user_id, GOAL, at_ms)
        views.sort()
        for place in range(2, len(views)):
            if views[place] - views[place - 2] < 7 * DAY and random_.random() < planted:
                trails.add(user_id, GOAL, views[place] + random_.randrange(1, DAY))
    return trails

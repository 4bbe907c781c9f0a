"""Who a user is: his ids, traits, scores and consents, and how two become one."""

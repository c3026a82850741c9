"""Which group trains where: the plan, the executors, the driver."""

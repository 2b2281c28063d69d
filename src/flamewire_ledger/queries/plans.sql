-- forget_plans: those of prepared statements are made anew, for tables as large as they are now.
DISCARD PLANS;

"""Values and decisions of planning, pure: states, wording, ladders of posts, a school's settings."""

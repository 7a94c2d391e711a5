"""What must stand after a log, told in the plainest way: everything that came, in order, folded anew for each question.

It shares nothing with the platform's code; where the contract says a rule, the rule stands here in its words.
"""

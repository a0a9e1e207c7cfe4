"""The closed-form room: moments, equations, likelihoods, posteriors."""
